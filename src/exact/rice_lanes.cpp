#include "exact/rice_lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "exact/rice_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "exact/rice-inl.h"

// No vectors here: the newer instruction sets have the bit instructions that this loop lives on.
HWY_BEFORE_NAMESPACE();
namespace harambee::exact::rice {
namespace HWY_NAMESPACE {

constexpr std::uint64_t kGroup = 4;

struct Group {
  std::uint64_t place[kGroup] = {};
  float addend[kGroup] = {-0.0F, -0.0F, -0.0F, -0.0F};
};

// The rare cases: long codes, the stream's last bytes, a chunk's last values.
HWY_NOINLINE bool ReadSlowly(View stream, const Form& form, Lane& lane, Group& out) {
  const std::uint64_t count = std::min(lane.left, kGroup);
  const Form flags{.parameter = form.parameter, .two_level = form.two_level, .level = {1, 2}};
  State state{.bits = container::BitReader(stream, lane.position), .next = lane.next};
  out = {};
  for (std::uint64_t j = 0; j < count; ++j) {
    std::uint16_t place = 0;
    std::int32_t level = 0;
    read_one(state, flags, place, level);
    if (state.next > kChunk) return false;
    out.place[j] = place;
    out.addend[j] = lane.addend[(level < 0 ? 1 : 0) + (level == 2 || level == -2 ? 2 : 0)];
  }
  lane.position = state.bits.position();
  lane.next = state.next;
  lane.left -= count;
  return true;
}

// Four values out of one window of 56 bits.
HWY_INLINE bool ReadGroup(View stream, const Form& form, Lane& lane, Group& out) {
  const std::uint64_t byte = lane.position >> 3;
  if (HWY_UNLIKELY(byte + 8 > stream.size() || lane.left < kGroup)) {
    return ReadSlowly(stream, form, lane, out);
  }
  std::uint64_t word;
  std::memcpy(&word, stream.data() + byte, 8);
  word >>= lane.position & 7;
  const std::uint64_t rest_mask = (std::uint64_t{1} << form.parameter) - 1;
  const unsigned fixed = form.fixed();
  const std::uint64_t flag_mask = form.two_level ? 3 : 1;
  std::uint64_t at = lane.next;
  unsigned ones = 0;
#pragma GCC unroll 4
  for (std::uint64_t j = 0; j < kGroup; ++j) {
    const auto quotient = static_cast<unsigned>(std::countr_one(word));
    ones += quotient;
    word = (word >> (quotient & 63)) >> 1;
    at += (std::uint64_t{quotient} << form.parameter) + (word & rest_mask);
    out.place[j] = at++;
    out.addend[j] = lane.addend[(word >> form.parameter) & flag_mask];
    word >>= fixed;
  }
  const unsigned used = ones + static_cast<unsigned>(kGroup) * (1 + fixed);
  if (HWY_UNLIKELY(used > 56 || at > kChunk)) return ReadSlowly(stream, form, lane, out);
  lane.position += used;
  lane.next = at;
  lane.left -= kGroup;
  return true;
}

HWY_INLINE bool AddGroup(View stream, const Form& form, Lane& lane) {
  Group group;
  if (!ReadGroup(stream, form, lane, group)) return false;
  Lane::Waiting* const waiting = &lane.waiting[lane.turn];
#pragma GCC unroll 4
  for (std::uint64_t j = 0; j < kGroup; ++j) {
    float* const to = lane.to + group.place[j];
    __builtin_prefetch(to, 1);
    *waiting[j].to += waiting[j].addend;
    waiting[j] = {to, group.addend[j]};
  }
  lane.turn = (lane.turn + kGroup) % Lane::kWaiting;
  return true;
}
static_assert(Lane::kWaiting % kGroup == 0);

bool AddLanes(View stream, const Form& form_, Lanes& lanes) {
  const Form form = form_;
  std::uint64_t most = 0;
  for (const Lane& lane : lanes) most = std::max(most, lane.left);
  bool inside = true;
  for (std::uint64_t i = 0; inside && i < most; i += kGroup) {
#pragma GCC unroll 4
    for (Lane& lane : lanes) inside &= AddGroup(stream, form, lane);
  }
  return inside;
}

}  // namespace HWY_NAMESPACE
}  // namespace harambee::exact::rice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace harambee::exact::rice {

HWY_EXPORT(AddLanes);

bool add_lanes(View stream, const Form& form, Lanes& lanes) {
  return HWY_DYNAMIC_DISPATCH(AddLanes)(stream, form, lanes);
}

void add_waiting(Lanes& lanes) {
  for (Lane& lane : lanes) {
    for (std::size_t i = 0; i < Lane::kWaiting; ++i) {
      Lane::Waiting& one = lane.waiting[(lane.turn + i) % Lane::kWaiting];
      *one.to += one.addend;
      one.addend = -0.0F;
    }
  }
}

bool reference::add_lanes(View stream, const Form& form, Lanes& lanes) {
  std::array<std::uint16_t, kChunk> place;
  std::array<std::int32_t, kChunk> value;
  const Form flags{
      .parameter = form.parameter, .two_level = form.two_level, .length = kChunk, .level = {1, 2}};
  for (Lane& lane : lanes) {
    const auto count = static_cast<std::uint32_t>(lane.left);
    const Read read =
        reference::read_values(stream, lane.position, flags, count, place.data(), value.data());
    if (read.outside) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::size_t upper = value[i] == 2 || value[i] == -2 ? 2 : 0;
      lane.to[place[i]] += lane.addend[upper + (value[i] < 0 ? 1 : 0)];
    }
    lane.position = read.position;
    lane.left = 0;
  }
  return true;
}

}  // namespace harambee::exact::rice
#endif  // HWY_ONCE

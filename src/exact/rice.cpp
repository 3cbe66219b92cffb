#include "exact/rice.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "exact/rice.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "exact/rice-inl.h"

// No vectors here: the newer instruction sets have the bit instructions that this loop lives on.
HWY_BEFORE_NAMESPACE();
namespace harambee::exact::rice {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <bool kTwoLevel>
Read ReadGroups(View stream, std::uint64_t position, const Form& form, const std::uint32_t count,
                std::uint16_t* HWY_RESTRICT place, std::int32_t* HWY_RESTRICT value) {
  constexpr std::uint32_t kGroup = 4;
  const unsigned parameter = form.parameter;
  const unsigned fixed = parameter + (kTwoLevel ? 2 : 1);
  const std::int32_t low = form.level[0];
  const std::int32_t step = form.level[1] - low;
  State state{.bits = container::BitReader(stream, position)};
  std::uint32_t i = 0;
  for (; i + kGroup <= count; i += kGroup) {
    // Four values out of one window of 56 bits.
    std::uint64_t word = state.bits.peek();
    std::uint64_t next = state.next;
    unsigned ones = 0, highs = 0;
#pragma GCC unroll 4
    for (std::uint32_t j = 0; j < kGroup; ++j) {
      const auto quotient = static_cast<unsigned>(std::countr_one(word));
      ones += quotient;
      word = (word >> (quotient & 63)) >> 1;
      const std::uint64_t rest = word & ((std::uint64_t{1} << fixed) - 1);
      word >>= fixed;
      next += std::uint64_t{quotient} << parameter;
      const std::uint64_t at = next + (rest & ((std::uint64_t{1} << parameter) - 1));
      next = at + 1;
      place[i + j] = static_cast<std::uint16_t>(at);
      const auto flags = static_cast<std::int32_t>(rest >> parameter);
      std::int32_t magnitude = low;
      if constexpr (kTwoLevel) {
        magnitude += step & -(flags >> 1);
        highs += static_cast<unsigned>(flags >> 1);
      }
      const std::int32_t negative = -(flags & 1);
      value[i + j] = (magnitude ^ negative) - negative;
    }
    const unsigned used = ones + kGroup * (1 + fixed);
    if (HWY_LIKELY(used <= 56)) {
      state.bits.skip(used);
      state.next = next;
      state.highs += highs;
    } else {
      for (std::uint32_t j = i; j < i + kGroup; ++j) read_one(state, form, place[j], value[j]);
    }
  }
  for (; i < count; ++i) read_one(state, form, place[i], value[i]);
  return finish(state, form);
}

Read ReadValues(View stream, std::uint64_t position, const Form& form, std::uint32_t count,
                std::uint16_t* HWY_RESTRICT place, std::int32_t* HWY_RESTRICT value) {
  return form.two_level ? ReadGroups<true>(stream, position, form, count, place, value)
                        : ReadGroups<false>(stream, position, form, count, place, value);
}

// Four values at a time: each put waits for the one before it.
void WriteValues(container::BitWriter& out, std::span<const std::uint16_t> kept,
                 const Written& form_) {
  constexpr std::size_t kGroup = 4;
  container::BitWriter bits = out;  // copies stay in registers
  const Written form = form_;
  const unsigned fixed = form.fixed();
  std::uint32_t next = 0;
  std::size_t i = 0;
  for (; i + kGroup <= kept.size(); i += kGroup) {
    const std::uint32_t first = next;
    std::uint64_t word = 0;
    unsigned used = 0;
#pragma GCC unroll 4
    for (std::size_t j = i; j < i + kGroup; ++j) {
      const Code code = code_of(kept[j], next, form);
      next = (kept[j] & kPlaceMask) + 1u;
      const std::uint64_t ones = (std::uint64_t{1} << (code.quotient & 63)) - 1;
      const std::uint64_t rest = std::uint64_t{code.rest} << ((code.quotient + 1) & 63);
      word |= (ones | rest) << (used & 63);
      used += code.quotient + 1 + fixed;
    }
    if (HWY_LIKELY(used <= 56)) {
      bits.put(word, used);
      continue;
    }
    next = first;
    for (std::size_t j = i; j < i + kGroup; ++j) {
      write_one(bits, kept[j], next, form);
      next = (kept[j] & kPlaceMask) + 1u;
    }
  }
  for (; i < kept.size(); ++i) {
    write_one(bits, kept[i], next, form);
    next = (kept[i] & kPlaceMask) + 1u;
  }
  out = bits;
}

// A lane in the middle of its chunk.
struct Running {
  const std::uint8_t* bytes;
  std::uint64_t size;
  std::uint64_t position;
  std::uint64_t next;
  std::uint32_t left;
  std::uint32_t parameter;
  std::uint32_t fixed;
  std::uint32_t flag_mask;
  // By the flags' inverted bits, because inverted ones are what the loop has in its hand: negative,
  // positive of the upper level, then of the lower; of one level, the first two.
  std::int64_t addend[4];
};

constexpr std::uint32_t kLaneGroup = 4;

Running Start(const Lane& lane) {
  const std::int64_t low = lane.weight * lane.form.level[0];
  const std::int64_t high = lane.weight * lane.form.level[1];
  Running r{.bytes = lane.stream.data(),
            .size = lane.stream.size(),
            .position = lane.position,
            .next = 0,
            .left = lane.count,
            .parameter = lane.form.parameter,
            .fixed = lane.form.fixed(),
            .flag_mask = lane.form.two_level ? 3u : 1u,
            .addend = {-low, low, -low, low}};
  if (lane.form.two_level) r.addend[0] = -high, r.addend[1] = high;
  return r;
}

// The rare cases: long codes, the stream's last bytes, a chunk's last values.
HWY_NOINLINE void AddSlowly(Running& r, Lane& lane, std::uint32_t count, std::int64_t* sums) {
  State state{.bits = container::BitReader(lane.stream, r.position), .next = r.next};
  add_one_by_one(state, lane, count, sums);
  r.position = state.bits.position();
  r.next = state.next;
  r.left = lane.outside ? 0 : r.left - count;
}

// Four values out of one window of 56 bits; nothing is added before all of them are known to be
// inside of the window and of the chunk.
HWY_INLINE void AddGroup(Running& r, Lane& lane, std::int64_t* sums) {
  const std::uint64_t byte = r.position >> 3;
  if (HWY_UNLIKELY(byte + 8 > r.size)) return AddSlowly(r, lane, kLaneGroup, sums);
  std::uint64_t word;
  std::memcpy(&word, r.bytes + byte, 8);
  word = ~(word >> (r.position & 7));
  const std::uint64_t rest_mask = (std::uint64_t{1} << r.parameter) - 1;
  std::uint64_t at = r.next;
  std::uint64_t place[kLaneGroup];
  std::int64_t addend[kLaneGroup];
  unsigned ones = 0;
#pragma GCC unroll 4
  for (std::uint32_t j = 0; j < kLaneGroup; ++j) {
    const auto quotient = static_cast<unsigned>(std::countr_zero(word));
    ones += quotient;
    word = (word >> (quotient & 63)) >> 1;
    at += (std::uint64_t{quotient} << r.parameter) + (~word & rest_mask);
    place[j] = at++;
    addend[j] = r.addend[(word >> r.parameter) & r.flag_mask];
    word >>= r.fixed;
  }
  const unsigned used = ones + kLaneGroup * (1 + r.fixed);
  if (HWY_UNLIKELY(used > 56 || at > lane.form.length)) {
    return AddSlowly(r, lane, kLaneGroup, sums);
  }
#pragma GCC unroll 4
  for (std::uint32_t j = 0; j < kLaneGroup; ++j) sums[place[j]] += addend[j];
  r.position += used;
  r.next = at;
  r.left -= kLaneGroup;
}

// Lines that will be written soon, asked for a few at a time, while values are read.
class Fetch {
 public:
  // `turns`: after as many calls of some(1) all lines have been asked for.
  Fetch(std::span<const float> soon, std::size_t turns)
      : soon_(soon), step_(turns == 0 ? 0 : (soon.size() / kLine + turns - 1) / turns * kLine) {}
  HWY_INLINE void some(std::size_t turns) {
    const std::size_t fetched = std::min(step_ * turns, soon_.size());
    for (std::size_t j = 0; j < fetched; j += kLine) __builtin_prefetch(soon_.data() + j, 1);
    soon_ = soon_.subspan(fetched);
  }

 private:
  static constexpr std::size_t kLine = 16;  // floats
  std::span<const float> soon_;
  std::size_t step_;
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#include "exact/rice_lanes-inl.h"
#else
HWY_INLINE void AddVectors(Running*, std::span<Lane>, std::int64_t*, Fetch&) {}
#endif

void AddValues(std::span<Lane> lanes, std::int64_t* HWY_RESTRICT sums,
               std::span<const float> soon) {
  Running running[kLanesMax];
  std::uint32_t groups = 0;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    running[i] = Start(lanes[i]);
    groups = std::max(groups, lanes[i].count / kLaneGroup);
  }
  Fetch fetch(soon, groups * lanes.size());
  AddVectors(running, lanes, sums, fetch);
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      if (running[i].left < kLaneGroup) continue;
      fetch.some(1);
      AddGroup(running[i], lanes[i], sums);
      more = true;
    }
  }
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (running[i].left != 0) AddSlowly(running[i], lanes[i], running[i].left, sums);
    lanes[i].position = running[i].position;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace harambee::exact::rice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace harambee::exact::rice {

HWY_EXPORT(ReadValues);
HWY_EXPORT(WriteValues);
HWY_EXPORT(AddValues);

void write_values(container::BitWriter& bits, std::span<const std::uint16_t> kept,
                  const Written& form) {
  HWY_DYNAMIC_DISPATCH(WriteValues)(bits, kept, form);
}

void add_values(std::span<Lane> lanes, std::int64_t* sums, std::span<const float> soon) {
  HARAMBEE_CHECK(lanes.size() <= kLanesMax);
  HWY_DYNAMIC_DISPATCH(AddValues)(lanes, sums, soon);
}

Read read_values(View stream, std::uint64_t position, const Form& form, std::uint32_t count,
                 std::uint16_t* place, std::int32_t* value) {
  return HWY_DYNAMIC_DISPATCH(ReadValues)(stream, position, form, count, place, value);
}

namespace reference {

void write_values(container::BitWriter& bits, std::span<const std::uint16_t> kept,
                  const Written& form) {
  std::uint32_t next = 0;
  for (const std::uint16_t one : kept) {
    write_one(bits, one, next, form);
    next = (one & kPlaceMask) + 1u;
  }
}

void add_values(std::span<Lane> lanes, std::int64_t* sums) {
  for (Lane& lane : lanes) {
    State state{.bits = container::BitReader(lane.stream, lane.position)};
    add_one_by_one(state, lane, lane.count, sums);
    lane.position = state.bits.position();
  }
}

Read read_values(View stream, std::uint64_t position, const Form& form, std::uint32_t count,
                 std::uint16_t* place, std::int32_t* value) {
  State state{.bits = container::BitReader(stream, position)};
  for (std::uint32_t i = 0; i < count; ++i) read_one(state, form, place[i], value[i]);
  return finish(state, form);
}

}  // namespace reference
}  // namespace harambee::exact::rice
#endif  // HWY_ONCE

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

constexpr std::uint32_t kGroup = 4;

// The rare cases: long codes, a stream's last bytes, a chunk's last values.
HWY_NOINLINE void AddSlowly(Eight& streams, std::size_t i, std::uint64_t count,
                            std::uint32_t length, Sink& sink) {
  add_one_by_one(streams, i, count, length, sink);
}

// One stream in the middle of its chunk.
struct Running {
  const std::uint8_t* bytes;
  std::uint64_t size;
  std::uint64_t position;
  std::uint64_t next;
  std::uint64_t left;
  std::uint32_t parameter;
  std::uint32_t fixed;
  std::uint32_t flag_mask;
  // By the flags' inverted bits, because inverted ones are what the loop has in its hand: negative,
  // positive of the upper level, then of the lower; of one level, the first two.
  std::int64_t addend[4];
};

Running Enter(const Eight& streams, std::size_t i) {
  const std::int64_t low = streams.low[i], high = streams.two_level[i] ? streams.high[i] : low;
  return {.bytes = reinterpret_cast<const std::uint8_t*>(streams.address[i]),
          .size = streams.size[i],
          .position = streams.position[i],
          .next = streams.next[i],
          .left = streams.left[i],
          .parameter = static_cast<std::uint32_t>(streams.parameter[i]),
          .fixed = static_cast<std::uint32_t>(streams.fixed[i]),
          .flag_mask = streams.two_level[i] ? 3u : 1u,
          .addend = {-high, high, -low, low}};
}

void Leave(const Running& r, Eight& streams, std::size_t i) {
  streams.position[i] = r.position;
  streams.next[i] = r.next;
  streams.left[i] = r.left;
}

HWY_NOINLINE void AddGroupSlowly(Running& r, Eight& streams, std::size_t i, std::uint32_t length,
                                 Sink& sink) {
  Leave(r, streams, i);
  AddSlowly(streams, i, kGroup, length, sink);
  r = Enter(streams, i);
}

// Four values out of one window of 56 bits; nothing is added before all of them are known to be
// inside of the window and of the chunk.
HWY_INLINE void AddGroup(Running& r, Eight& streams, std::size_t i, std::uint32_t length,
                         Sink& sink) {
  const std::uint64_t byte = r.position >> 3;
  if (HWY_UNLIKELY(byte + 8 > r.size)) return AddGroupSlowly(r, streams, i, length, sink);
  std::uint64_t word;
  std::memcpy(&word, r.bytes + byte, 8);
  word = ~(word >> (r.position & 7));
  const std::uint64_t rest_mask = (std::uint64_t{1} << r.parameter) - 1;
  std::uint64_t at = r.next;
  std::uint64_t place[kGroup];
  std::int64_t addend[kGroup];
  unsigned ones = 0;
#pragma GCC unroll 4
  for (std::uint32_t j = 0; j < kGroup; ++j) {
    const auto quotient = static_cast<unsigned>(std::countr_zero(word));
    ones += quotient;
    word = (word >> (quotient & 63)) >> 1;
    at += (std::uint64_t{quotient} << r.parameter) + (~word & rest_mask);
    place[j] = at++;
    addend[j] = r.addend[(word >> r.parameter) & r.flag_mask];
    word >>= r.fixed;
  }
  const unsigned used = ones + kGroup * (1 + r.fixed);
  if (HWY_UNLIKELY(used > 56 || at > length)) {
    return AddGroupSlowly(r, streams, i, length, sink);
  }
#pragma GCC unroll 4
  for (std::uint32_t j = 0; j < kGroup; ++j) {
    sink.sum[place[j]] += addend[j];
    sink.places[j] = static_cast<std::uint16_t>(place[j]);
  }
  sink.wrote(kGroup);
  r.position += used;
  r.next = at;
  r.left -= kGroup;
}

// Makes lines ready, a few at a time, while values are read.
class Ready {
 public:
  // `turns`: after as many calls of some() all whole lines are ready.
  Ready(const Onto& onto, std::size_t turns) : out_(onto.out), what_(onto.what), beta_(onto.beta) {
    const std::size_t address = reinterpret_cast<std::uintptr_t>(out_.data()) / sizeof(float);
    few(std::min((kLine - address % kLine) % kLine, out_.size()));
    const std::size_t lines = out_.size() / kLine;
    step_ = turns == 0 ? 0 : (lines + turns - 1) / turns * kLine;
  }
  HWY_INLINE void some() {
    const std::size_t size = std::min(step_, out_.size() / kLine * kLine);
    float* const out = out_.data();
    const hn::ScalableTag<float> d;
    if (what_ == Onto::What::fetch) {
      for (std::size_t i = 0; i < size; i += kLine) __builtin_prefetch(out + i, 1);
    } else if (what_ == Onto::What::clear) {
      const auto zero = hn::Zero(d);
      for (std::size_t i = 0; i < size; i += kLine) __builtin_prefetch(out + i + kAhead, 1);
      for (std::size_t i = 0; i < size; i += hn::Lanes(d)) hn::StoreU(zero, d, out + i);
    } else {
      const auto beta = hn::Set(d, beta_), zero = hn::Zero(d);
      for (std::size_t i = 0; i < size; i += kLine) __builtin_prefetch(out + i + kAhead, 1);
      for (std::size_t i = 0; i < size; i += hn::Lanes(d)) {
        hn::StoreU(hn::Add(hn::Mul(beta, hn::LoadU(d, out + i)), zero), d, out + i);
      }
    }
    out_ = out_.subspan(size);
  }
  HWY_INLINE void rest() {
    step_ = out_.size() / kLine * kLine;
    some();
    few(out_.size());
  }

 private:
  static constexpr std::size_t kLine = 16;  // floats; a multiple of every vector's
  static constexpr std::size_t kAhead = 64 * kLine;
  void few(std::size_t count) {
    for (float& x : out_.first(count)) {
      if (what_ == Onto::What::clear) x = 0;
      if (what_ == Onto::What::scale) x = beta_ * x + 0.0F;
    }
    out_ = out_.subspan(count);
  }
  std::span<float> out_;
  Onto::What what_;
  float beta_;
  std::size_t step_ = 0;
};

// Values that are left, of up to sixteen streams at once.
void AddRest(std::span<Eight> streams, std::uint32_t length, Sink& sink, Ready& ready) {
  Running running[16];
  for (std::size_t i = 0; i < 8 * streams.size(); ++i) running[i] = Enter(streams[i / 8], i % 8);
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < 8 * streams.size(); ++i) {
      if (running[i].left < kGroup) continue;
      ready.some();
      AddGroup(running[i], streams[i / 8], i % 8, length, sink);
      more = true;
    }
  }
  for (std::size_t i = 0; i < 8 * streams.size(); ++i) {
    Eight& its = streams[i / 8];
    Leave(running[i], its, i % 8);
    if (its.left[i % 8] != 0) AddSlowly(its, i % 8, its.left[i % 8], length, sink);
  }
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#include "exact/rice_eight-inl.h"
#else
// Asks for `ready` in as many turns as there are groups.
void AddTogether(std::span<Eight> streams, std::uint32_t length, Sink& sink, const Onto& onto) {
  std::size_t groups = 0;
  for (Eight& eight : streams) {
    for (std::size_t i = 0; i < 8; ++i) {
      read_head(eight, i, length);
      groups += eight.left[i] / kGroup;
    }
  }
  Ready ready(onto, groups);
  for (; !streams.empty(); streams = streams.subspan(std::min<std::size_t>(2, streams.size()))) {
    AddRest(streams.first(std::min<std::size_t>(2, streams.size())), length, sink, ready);
  }
  ready.rest();
}
#endif

std::size_t AddNext(std::span<Eight> streams, std::uint32_t length, const Sums& sums,
                    const Onto& onto) {
  std::uint16_t ignored[8 * kGroup];
  const bool asked = sums.places != nullptr;
  Sink sink{sums.sum, asked ? sums.places : ignored, asked ? 1u : 0u};
  AddTogether(streams, length, sink, onto);
  return asked ? static_cast<std::size_t>(sink.places - sums.places) : 0;
}

}  // namespace HWY_NAMESPACE
}  // namespace harambee::exact::rice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace harambee::exact::rice {

HWY_EXPORT(ReadValues);
HWY_EXPORT(WriteValues);
HWY_EXPORT(AddNext);

void write_values(container::BitWriter& bits, std::span<const std::uint16_t> kept,
                  const Written& form) {
  HWY_DYNAMIC_DISPATCH(WriteValues)(bits, kept, form);
}

Streams::Streams(std::span<const Stream> streams) : eights_((streams.size() + 7) / 8) {
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const Stream& stream = streams[i];
    Eight& eight = eights_[i / 8];
    eight.address[i % 8] = reinterpret_cast<std::uintptr_t>(stream.bytes.data());
    eight.size[i % 8] = stream.bytes.size();
    eight.position[i % 8] = stream.position;
    eight.parameter[i % 8] = stream.parameter;
    eight.fixed[i % 8] = stream.parameter + (stream.two_level ? 2 : 1);
    eight.two_level[i % 8] = stream.two_level ? 1 : 0;
    eight.keep[i % 8] = stream.keep;
    eight.weight[i % 8] = stream.weight;
  }
}

std::size_t Streams::add_next(std::uint32_t length, const Sums& sums, const Onto& onto) {
  return HWY_DYNAMIC_DISPATCH(AddNext)(eights_, length, sums, onto);
}

bool Streams::outside() const {
  return std::ranges::any_of(eights_, [](const Eight& eight) {
    return std::ranges::any_of(eight.outside, [](std::uint64_t one) { return one != 0; });
  });
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

std::size_t add_next(std::span<Eight> streams, std::uint32_t length, const Sums& sums) {
  std::uint16_t ignored = 0;
  const bool asked = sums.places != nullptr;
  Sink sink{sums.sum, asked ? sums.places : &ignored, asked ? 1u : 0u};
  for (Eight& eight : streams) {
    for (std::size_t i = 0; i < 8; ++i) {
      read_head(eight, i, length);
      add_one_by_one(eight, i, eight.left[i], length, sink);
    }
  }
  return asked ? static_cast<std::size_t>(sink.places - sums.places) : 0;
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

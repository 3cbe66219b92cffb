// One value after another: the reference, and the rare long values of the fast loop (rice.cpp).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "exact/container.h"
#include "exact/rice.h"

namespace harambee::exact::rice {

struct State {
  container::BitReader bits;
  std::uint64_t next =
      0;  // the first place that may follow; never wraps: 2048 · 4097 · 2^11 < 2^64
  std::uint32_t highs = 0;
};

inline void read_one(State& state, const Form& form, std::uint16_t& place, std::int32_t& value) {
  // More ones than a chunk has places lead outside of it, however many there are.
  const std::uint64_t quotient = std::min(state.bits.take_unary(kChunk), kChunk);
  const std::uint32_t rest = state.bits.take(form.fixed());
  const std::uint64_t at =
      state.next + (quotient << form.parameter) + (rest & ((1u << form.parameter) - 1));
  const bool negative = (rest >> form.parameter) & 1;
  const bool high = form.two_level && ((rest >> (form.parameter + 1)) & 1);
  state.highs += high;
  state.next = at + 1;
  place = static_cast<std::uint16_t>(at);
  value = negative ? -form.level[high] : form.level[high];
}

// The quotient, and what follows its zero: the rest of the gap from `next` to the place, and flags.
struct Code {
  std::uint32_t quotient, rest;
};
inline Code code_of(std::uint32_t kept, std::uint32_t next, const Written& form) {
  const std::uint32_t gap = (kept & kPlaceMask) - next;
  const std::uint32_t negative = kept >> 15;
  const std::uint32_t high = form.one_level ? 0 : (kept / kHigh) & 1;
  const std::uint32_t rest = gap & ((1u << form.parameter) - 1);
  return {gap >> form.parameter,
          rest | (negative << form.parameter) | (high << (form.parameter + 1))};
}

inline void write_one(container::BitWriter& bits, std::uint32_t kept, std::uint32_t next,
                      const Written& form) {
  const Code code = code_of(kept, next, form);
  bits.put_rice(code.quotient, code.rest, form.fixed());
}

// The lane's next `count` values, one by one; stops at a place outside of the chunk.
inline void add_one_by_one(State& state, Lane& lane, std::uint32_t count, std::int64_t* sums) {
  for (std::uint32_t i = 0; i < count && !lane.outside; ++i) {
    std::uint16_t place = 0;
    std::int32_t value = 0;
    read_one(state, lane.form, place, value);
    lane.outside = state.next > lane.form.length;
    if (!lane.outside) sums[place] += lane.weight * value;
  }
}

// Places ascend, so the last one tells whether any was outside.
inline Read finish(const State& state, const Form& form) {
  return {state.bits.position(), state.highs, state.next > form.length};
}

}  // namespace harambee::exact::rice

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

// Sums, and the next of the places, which are written over and over again if nobody asks for them.
struct Sink {
  std::int64_t* sum;
  std::uint16_t* places;
  std::size_t step;  // 1, or 0 if nobody asks
  void wrote(std::size_t count) { places += count * step; }
};

inline View bytes_of(const Eight& streams, std::size_t i) {
  return {reinterpret_cast<const std::uint8_t*>(streams.address[i]), streams.size[i]};
}

// What stands before a chunk's values (spec/delta.md): mantissas, and how many values there are.
inline void read_head(Eight& streams, std::size_t i, std::uint32_t length) {
  container::BitReader bits(bytes_of(streams, i), streams.position[i]);
  streams.next[i] = streams.left[i] = streams.outside[i] = 0;
  const std::int64_t low = bits.take(container::kMantissaBits);
  if (low != 0) {
    const std::int64_t high = streams.two_level[i] ? bits.take(container::kMantissaBits) : 0;
    const std::uint64_t most = std::min<std::uint64_t>(streams.keep[i], length);
    streams.left[i] = bits.take(1) ? most : bits.take(container::kCountBits);
    streams.low[i] = streams.weight[i] * low;
    streams.high[i] = streams.weight[i] * high;
  }
  streams.position[i] = bits.position();
}

// The stream's next `count` values, one by one; stops at a place outside of the chunk.
inline void add_one_by_one(Eight& streams, std::size_t i, std::uint64_t count, std::uint32_t length,
                           Sink& sink) {
  const Form form{.parameter = static_cast<unsigned>(streams.parameter[i]),
                  .two_level = streams.two_level[i] != 0,
                  .length = length,
                  .level = {1, 2}};
  State state{.bits = container::BitReader(bytes_of(streams, i), streams.position[i]),
              .next = streams.next[i]};
  streams.left[i] -= count;
  for (; count > 0; --count) {
    std::uint16_t place = 0;
    std::int32_t level = 0;
    read_one(state, form, place, level);
    if (state.next > length) {
      streams.outside[i] = 1;
      streams.left[i] = 0;
      break;
    }
    const std::int64_t magnitude = level == 2 || level == -2 ? streams.high[i] : streams.low[i];
    sink.sum[place] += level < 0 ? -magnitude : magnitude;
    *sink.places = place;
    sink.wrote(1);
  }
  streams.position[i] = state.bits.position();
  streams.next[i] = state.next;
}

// Places ascend, so the last one tells whether any was outside.
inline Read finish(const State& state, const Form& form) {
  return {state.bits.position(), state.highs, state.next > form.length};
}

}  // namespace harambee::exact::rice

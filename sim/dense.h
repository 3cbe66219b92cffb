// Numbers and vectors for counting a round again: contributions as dense vectors of integers, real
// numbers as integers with exponents, all written straight down from spec/outer-step.md and
// spec/robust.md. Slow and plain on purpose; shares nothing with src/exact but the reader of blobs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "exact/codec.h"

namespace harambee::sim {

__extension__ using Wide = unsigned __int128;
__extension__ using Signed = __int128;

[[nodiscard]] int bits(Wide n);

// A contribution or an update, one value for each parameter.
struct Dense {
  std::vector<std::int64_t> values;  // × 2^exponent
  int exponent = 0;
  Wide square = 0;
};
[[nodiscard]] Dense dense_of(const exact::Delta& delta);
[[nodiscard]] bool shorter(const Dense& one, const Dense& other);

// A number above zero: mantissa × 2^exponent.
struct Number {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};
// Of the mantissa only the highest 62 bits are kept.
[[nodiscard]] Number times(const Number& a, const Number& b);
[[nodiscard]] Number number_of(double value);
[[nodiscard]] double double_of(const Number& number);
// Of the highest bit; the least of all integers for zero.
[[nodiscard]] int top_of(const Number& number);
// The number in units of 2^k, to the nearest.
[[nodiscard]] std::int64_t integer_of(const Number& number, int k);
// spec/outer-step.md §1: 1, or the length of `middle` ÷ that of `one` if it is longer.
[[nodiscard]] Number clip_of(const Dense& one, const Dense& middle);

// Of numbers with votes, the first in ascending order with half of all votes up to it.
template <typename T, typename Less>
T median_by_votes(const std::vector<T>& values, const std::vector<double>& votes,
                  const Less& less) {
  std::vector<std::size_t> order;
  double half = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    order.push_back(i);
    half += 0.5 * votes[i];
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return less(values[a], values[b]); });
  double below = 0;
  T middle{};
  for (const std::size_t i : order) {
    if (votes[i] <= 0) continue;
    middle = values[i];
    below += votes[i];
    if (below >= half) break;
  }
  return middle;
}

}  // namespace harambee::sim

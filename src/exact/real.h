// Positive numbers as a 64-bit mantissa and an exponent: the integers behind the weights of
// contributions. Every function is exact or rounds down. Internal to this room.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "exact/aggregate.h"
#include "exact/codec.h"
#include "exact/math.h"

namespace harambee::exact {

[[nodiscard]] inline int bit_width(uint128 n) {
  const auto high = static_cast<std::uint64_t>(n >> 64);
  return high ? 64 + std::bit_width(high) : std::bit_width(static_cast<std::uint64_t>(n));
}

// mantissa × 2^exponent; zero if the mantissa is. Mantissas stay below 2^63.
struct Real {
  std::uint64_t mantissa = 0;
  int exponent = 0;
  // ⌊log2⌋ of a number that is not zero.
  [[nodiscard]] int top() const { return std::bit_width(mantissa) - 1 + exponent; }
};

inline constexpr Real kOne{std::uint64_t{1} << 61, -61};

// ‖x‖ with 63 bits, rounded down; the norm is not zero.
[[nodiscard]] inline Real root(const SquaredNorm& norm) {
  const int shift = (126 - bit_width(norm.integer)) / 2;
  return {isqrt(norm.integer << (2 * shift)), norm.exponent - shift};
}

// ‖above‖ / ‖below‖, rounded down to 2^-61 of about one; neither is zero.
[[nodiscard]] inline Real ratio(const SquaredNorm& above, const SquaredNorm& below) {
  const Real a = root(above), b = root(below);
  const uint128 quotient = (static_cast<uint128>(a.mantissa) << 61) / b.mantissa;
  return {static_cast<std::uint64_t>(quotient), a.exponent - b.exponent - 61};
}

// min(1, ‖median‖ / ‖x‖).
[[nodiscard]] inline Real clip_real(const SquaredNorm& norm, const SquaredNorm& median) {
  if (norm <= median) return kOne;
  return median.integer == 0 ? Real{} : ratio(median, norm);
}

// a · b, rounded down to 62 bits; exact if one of them is a power of two and the other shorter.
[[nodiscard]] inline Real product(const Real& a, const Real& b) {
  const uint128 full = static_cast<uint128>(a.mantissa) * b.mantissa;
  const int shift = bit_width(full) > 62 ? bit_width(full) - 62 : 0;
  return {static_cast<std::uint64_t>(full >> shift), a.exponent + b.exponent + shift};
}

// A double ≥ 0 that is finite, exactly.
[[nodiscard]] inline Real to_real(double number) {
  const auto bits = std::bit_cast<std::uint64_t>(number);
  const auto biased = static_cast<int>(bits >> 52);
  HARAMBEE_CHECK(biased < 0x7FF);  // not negative, not infinite, not NaN
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  if (biased == 0) return {fraction, -1074};
  return {fraction | (std::uint64_t{1} << 52), biased - 1075};
}

// mantissa × 2^(exponent − unit), to the nearest integer, halves up.
[[nodiscard]] inline std::uint32_t to_integer(const Real& number, int unit) {
  if (number.mantissa == 0) return 0;
  const int shift = unit - number.exponent;
  if (shift > 63) return 0;
  if (shift <= 0) return static_cast<std::uint32_t>(number.mantissa << -shift);
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  return static_cast<std::uint32_t>((number.mantissa + half) >> shift);
}

// The integers of the aggregate: factor i multiplies the integers of contribution i (so its
// exponent includes the contribution's own), `previous` those of the update before.
[[nodiscard]] Weights to_weights(std::span<const Real> factors, const Real& previous,
                                 double divisor);

}  // namespace harambee::exact

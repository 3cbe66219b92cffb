#include "trainer/exact/math.h"

#include <bit>
#include <cmath>

namespace harambee::trainer {

double exact_exp(double x) {
  // x = n ln 2 + r; the high part of ln 2 has 32 bits, so n times it is exact.
  const double n = std::floor(x * 0x1.71547652b82fep+0 + 0.5);
  const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  double p = 1.0;  // Taylor series to the 14th power, Horner's form: 1 + r/1 (1 + r/2 (1 + …))
  for (int k = 14; k >= 1; --k) p = 1.0 + r * p / static_cast<double>(k);
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023);
  return p * std::bit_cast<double>(exponent << 52);
}

double exact_log(double x) {
  // x = m 2^e with m in [1/sqrt 2, sqrt 2); log m = 2 artanh((m - 1) / (m + 1)).
  std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  std::int64_t e = static_cast<std::int64_t>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
  double m = std::bit_cast<double>(bits);
  if (m >= 0x1.6a09e667f3bcdp+0) {
    m = m * 0.5;
    e = e + 1;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 0.0;
  for (int k = 12; k >= 1; --k) p = z * (1.0 / static_cast<double>(2 * k + 1) + p);
  const double n = static_cast<double>(e);
  return n * 0x1.62e42feep-1 + ((2.0 * s + 2.0 * s * p) + n * 0x1.a39ef35793c76p-33);
}

SinCos exact_sin_cos(double x) {
  // x = k π/2 + r; π/2 in three parts of at most 33 bits, so k (below 2^19.4) times each is exact.
  const double k = std::floor(x * 0x1.45f306dc9c883p-1 + 0.5);
  double r = x - k * 0x1.921fb544p+0;
  r = r - k * 0x1.0b4611a6p-34;
  r = r - k * 0x1.3198a2e037073p-69;
  const double z = r * r;
  double s = 1.0, c = 1.0;
  for (int n = 20; n >= 2; n -= 2) {
    s = 1.0 - z * s / static_cast<double>(n * (n + 1));
    c = 1.0 - z * c / static_cast<double>(n * (n - 1));
  }
  s = r * s;
  switch (static_cast<std::int64_t>(k) & 3) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

double exact_power(double base, std::uint64_t n) {
  double result = 1.0;
  for (double square = base; n > 0; n >>= 1) {
    if (n & 1) result = result * square;
    square = square * square;
  }
  return result;
}

}  // namespace harambee::trainer

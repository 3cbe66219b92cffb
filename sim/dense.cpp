#include "sim/dense.h"

#include <cmath>
#include <limits>

namespace harambee::sim {
namespace {

// The length as a number: mantissa (63 bits) × 2^exponent.
struct Length {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};

// The largest integer whose square is not above n, by halving.
std::uint64_t square_root(Wide n) {
  std::uint64_t low = 0, high = std::numeric_limits<std::uint64_t>::max() >> 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2 + 1;
    if (static_cast<Wide>(middle) * middle <= n) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

Length length_of(const Dense& one) {
  const int t = (126 - bits(one.square)) / 2;
  return {square_root(one.square << (2 * t)), one.exponent - t};
}

Number cut(Wide mantissa, int exponent) {
  for (; bits(mantissa) > 62; mantissa >>= 1) ++exponent;
  return {static_cast<std::uint64_t>(mantissa), exponent};
}

}  // namespace

int bits(Wide n) {
  int count = 0;
  for (; n != 0; n >>= 1) ++count;
  return count;
}

Dense dense_of(const exact::Delta& delta) {
  Dense out;
  out.values.assign(delta.parameters(), 0);
  out.exponent = delta.exponent();
  exact::Delta::Cursor cursor(delta);
  exact::Delta::Chunk chunk;
  for (std::size_t at = 0; !cursor.done(); at += exact::kChunk) {
    cursor.next(chunk);
    for (std::uint32_t i = 0; i < chunk.size; ++i) out.values[at + chunk.place[i]] = chunk.value[i];
  }
  for (const std::int64_t value : out.values) {
    out.square += static_cast<Wide>(static_cast<unsigned long long>(value * value));
  }
  return out;
}

bool shorter(const Dense& one, const Dense& other) {
  // Scales of all kinds fit a long double's 64 bits only nearly: compare as integers.
  int shift = one.exponent - other.exponent;
  Wide a = one.square, b = other.square;
  if (a == 0 || b == 0) return a == 0 && b != 0;
  for (; shift > 0 && bits(a) <= 125; --shift) a <<= 2;
  for (; shift < 0 && bits(b) <= 125; ++shift) b <<= 2;
  if (shift != 0) return shift < 0;
  return a < b;
}

Number times(const Number& a, const Number& b) {
  return cut(static_cast<Wide>(a.mantissa) * b.mantissa, a.exponent + b.exponent);
}

Number number_of(double value) {
  if (value <= 0) return {};
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return {static_cast<std::uint64_t>(std::ldexp(fraction, 53)), exponent - 53};
}

double double_of(const Number& number) {
  return std::ldexp(static_cast<double>(number.mantissa), number.exponent);
}

Number clip_of(const Dense& one, const Dense& middle) {
  if (!shorter(middle, one)) return {std::uint64_t{1} << 61, -61};
  if (middle.square == 0) return {};
  const Length above = length_of(middle), below = length_of(one);
  return {static_cast<std::uint64_t>((static_cast<Wide>(above.mantissa) << 61) / below.mantissa),
          above.exponent - below.exponent - 61};
}

int top_of(const Number& number) {
  return number.mantissa == 0 ? std::numeric_limits<int>::min()
                              : bits(number.mantissa) - 1 + number.exponent;
}

std::int64_t integer_of(const Number& number, int k) {
  const int down = k - number.exponent;
  if (number.mantissa == 0 || down > 63) return 0;
  if (down <= 0) return static_cast<std::int64_t>(number.mantissa << -down);
  return static_cast<std::int64_t>((number.mantissa + (std::uint64_t{1} << (down - 1))) >> down);
}

}  // namespace harambee::sim

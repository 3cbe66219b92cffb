// What exactness asks of the machine, and exact integer functions.
#pragma once

#include <cstdint>

#include "base/decimal.h"

namespace harambee::exact {

__extension__ using uint128 = unsigned __int128;

// Rounding to nearest even, subnormal numbers kept, float arithmetic done in float: what every
// result of this room rests on. False after some library has set flush-to-zero, say. Checked at the
// door of encode(), Aggregate and close_round() (a bug stops the program there).
[[nodiscard]] bool float_mode_is_exact();

// ⌊√n⌋.
[[nodiscard]] std::uint64_t isqrt(uint128 n);

// A recipe's number as the float that the arithmetic uses: nearest double of nanos / 10^9, then
// nearest float.
[[nodiscard]] inline float to_float(const Decimal& number) {
  return static_cast<float>(number.to_double());
}

// 2^exponent, −1022 ≤ exponent ≤ 1023.
[[nodiscard]] double power_of_two(int exponent);

}  // namespace harambee::exact

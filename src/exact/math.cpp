#include "exact/math.h"

#include <bit>
#include <cfloat>
#include <limits>

#include "base/check.h"

namespace harambee::exact {

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);
static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must be done in float (not x87)");

bool float_mode_is_exact() {
  // volatile: the processor must do the arithmetic, not the compiler.
  volatile float one = 1.0F;
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float subnormal = std::numeric_limits<float>::denorm_min();
  const bool nearest = one + 0x1p-25F == 1.0F && one - 0x1p-26F == 1.0F && -one - 0x1p-25F == -1.0F;
  const bool keeps_subnormals = smallest * 0.5F != 0.0F && subnormal * 2.0F != 0.0F;
  return nearest && keeps_subnormals;
}

std::uint64_t isqrt(uint128 n) {
  std::uint64_t root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const std::uint64_t candidate = root | (std::uint64_t{1} << bit);
    if (static_cast<uint128>(candidate) * candidate <= n) root = candidate;
  }
  return root;
}

double power_of_two(int exponent) {
  HARAMBEE_CHECK(exponent >= -1022 && exponent <= 1023);
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

}  // namespace harambee::exact

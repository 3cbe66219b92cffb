#include "trainer/exact/math.h"

#include <gtest/gtest.h>

#include <cmath>

namespace harambee::trainer {
namespace {

TEST(Math, AgreesWithTheCLibrary) {
  for (double x = -700; x <= 700; x += 0.37) {
    EXPECT_NEAR(exact_exp(x) / std::exp(x), 1, 1e-15) << x;
  }
  for (double x = 1e-300; x < 1e300; x *= 1.9) {
    EXPECT_NEAR(exact_log(x), std::log(x), 4e-16 * std::fmax(1, std::fabs(std::log(x)))) << x;
  }
  EXPECT_EQ(exact_log(1.0), 0.0);
  for (double x = 0; x < 1048576; x = x * 1.001 + 0.01) {
    const SinCos got = exact_sin_cos(x);
    EXPECT_NEAR(got.sin, std::sin(x), 4e-16) << x;
    EXPECT_NEAR(got.cos, std::cos(x), 4e-16) << x;
  }
  EXPECT_NEAR(exact_power(0.99, 1000), std::pow(0.99, 1000), 1e-17);
  EXPECT_EQ(exact_power(0.5, 0), 1.0);
}

}  // namespace
}  // namespace harambee::trainer

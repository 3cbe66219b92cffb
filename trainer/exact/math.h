// Elementary functions with the same bits everywhere: only + - * / and integers, no library call,
// no contraction (spec/exact-trainer.md). For the few places that need them once a step or less;
// the vector versions are in lanes-inl.h. Errors are below 4e-16 relative to the larger of the
// result and, for sine and cosine, 1.
#pragma once

#include <cstdint>

namespace harambee::trainer {

[[nodiscard]] double exact_exp(double x);  // |x| <= 700
[[nodiscard]] double exact_log(double x);  // x > 0 and normal
struct SinCos {
  double sin, cos;
};
[[nodiscard]] SinCos exact_sin_cos(double x);  // 0 <= x <= 2^20
// base^n by squaring.
[[nodiscard]] double exact_power(double base, std::uint64_t n);

}  // namespace harambee::trainer

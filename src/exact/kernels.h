// The hot loops, twice: a scalar reference that reads like the specification, and a Highway twin
// that must return the same bits on every instruction set (tests/exact/kernels_test.cpp). Internal
// to this room. Only + − × ÷ and comparisons, each rounded once; no sum whose order could differ.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace harambee::exact::kernels {

// |x| as an integer that orders like |x|, NaN above everything: the bits without the sign.
inline constexpr std::uint32_t kMagnitudeBits = 0x7FFF'FFFF;
// at_least() may write this many places beyond the last one it reports.
inline constexpr std::uint32_t kPlaceSlack = 64;

#define HARAMBEE_EXACT_KERNELS                                                                         \
  /* e ← β·e + (base − trained) */                                                               \
  void accumulate(float* e, float beta, const float* base, const float* trained, std::size_t n);       \
  /* The largest magnitude bits. */                                                                    \
  std::uint32_t max_bits(const float* x, std::uint32_t n);                                             \
  /* Ascending places whose magnitude bits are ≥ threshold ≥ 1; returns how many. Also the */      \
  /* largest magnitude bits. */                                                                        \
  std::uint32_t at_least(const float* x, std::uint32_t n, std::uint32_t threshold,                     \
                         std::uint32_t* place, std::uint32_t* max_bits);                               \
  /* The largest threshold in least…most that at least `keep` of `bits` reach, or any one that  */   \
  /* exactly `keep` reach. All bits are < 2^31, least ≥ 1, and at least `keep` reach `least`.  */    \
  std::uint32_t threshold_of(const std::uint32_t* bits, std::uint32_t n, std::uint32_t keep,           \
                             std::uint32_t least, std::uint32_t most);                                 \
  /* How many of `bits` are ≥ threshold ≥ 1; all are < 2^31. */                                    \
  std::uint32_t count_at_least(const std::uint32_t* bits, std::uint32_t n,                             \
                               std::uint32_t threshold);                                               \
  /* The sum of the floats with these bits that are ≥ threshold ≥ 1, all finite. Requires that  */ \
  /* every sum of some of them is a double exactly: the order of adding is not fixed. */               \
  double exact_sum_at_least(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold);      \
  /* Σ|x| of floats, in 16 interleaved sums, then 8 … 1; n is a multiple of 16. */                  \
  float magnitude_sum(const float* x, std::uint32_t n);                                                \
  /* out ← float(double(sum) · scale), and sum ← 0 */                                             \
  void sums_to_floats(std::int64_t* sum, double scale, float* out, std::uint32_t n);                   \
  /* r ← β·r + float(double(sum) · scale), and sum ← 0 */                                       \
  void add_sums(std::int64_t* sum, double scale, float* r, float beta, std::uint32_t n);               \
  /* code ← x ÷ scale, rounded to the nearest integer (ties to even), within ±limit */             \
  void quantise(const float* x, float scale, float limit, std::int32_t* code, std::uint32_t n);

HARAMBEE_EXACT_KERNELS
namespace reference {
HARAMBEE_EXACT_KERNELS
}  // namespace reference
#undef HARAMBEE_EXACT_KERNELS

// For tests: the instruction sets that this processor and this build have, and a way to force one
// ("" for the best). Not thread-safe.
[[nodiscard]] std::vector<std::string> targets();
void use_target(const std::string& name);

}  // namespace harambee::exact::kernels

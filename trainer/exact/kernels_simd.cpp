// The SIMD levels, compiled once per Highway target. Only targets whose multiply-add rounds once
// take part: AVX2 (with FMA), AVX-512 and NEON.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "trainer/exact/kernels_levels.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "trainer/exact/kernels_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
#undef LANES_NAMESPACE
#define LANES_NAMESPACE HWY_NAMESPACE
#include "trainer/exact/lanes-inl.h"
//
#include "trainer/exact/gemm-inl.h"
#include "trainer/exact/rows-inl.h"
//
#include "trainer/exact/attention-inl.h"
#include "trainer/exact/table-inl.h"
#endif

#if HWY_ONCE
namespace harambee::trainer {

const Kernels* simd_kernels(Simd simd) {
  [[maybe_unused]] const auto supported = hwy::SupportedTargets();
#if HWY_TARGETS & HWY_AVX2
  if (simd == Simd::avx2 && (supported & HWY_AVX2) != 0) {
    static const Kernels k = N_AVX2::table(Simd::avx2);
    return &k;
  }
#endif
#if HWY_TARGETS & HWY_AVX3
  if (simd == Simd::avx512 && (supported & HWY_AVX3) != 0) {
    static const Kernels k = N_AVX3::table(Simd::avx512);
    return &k;
  }
#endif
#if HWY_TARGETS & HWY_NEON
  if (simd == Simd::neon) {
    static const Kernels k = N_NEON::table(Simd::neon);
    return &k;
  }
#endif
  return nullptr;
}

}  // namespace harambee::trainer
#endif

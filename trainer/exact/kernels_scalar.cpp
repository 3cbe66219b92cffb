// The scalar level: the reference, and the fallback of processors without fused multiply-add
// vectors (the C library's fma is exact everywhere).
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "trainer/exact/kernels_levels.h"

#define LANES_SCALAR
#define LANES_NAMESPACE scalar_level
#include "trainer/exact/lanes-inl.h"
//
#include "trainer/exact/gemm-inl.h"
#include "trainer/exact/rows-inl.h"
//
#include "trainer/exact/attention-inl.h"
#include "trainer/exact/table-inl.h"

namespace harambee::trainer {
const Kernels& scalar_kernels() {
  static const Kernels k = scalar_level::table(Simd::scalar);
  return k;
}
}  // namespace harambee::trainer

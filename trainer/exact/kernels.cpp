#include "trainer/exact/kernels.h"

#include <cfenv>
#include <limits>

#include "trainer/exact/kernels_levels.h"

namespace harambee::trainer {

std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) {
  const std::size_t padded = (tokens + kAttentionPad - 1) / kAttentionPad * kAttentionPad;
  return 2 * padded * head_size + 2 * kAttentionBlock * padded;
}

const Kernels* kernels(Simd simd) {
  return simd == Simd::scalar ? &scalar_kernels() : simd_kernels(simd);
}

const Kernels& best_kernels() {
  for (const Simd simd : {Simd::avx512, Simd::avx2, Simd::neon}) {
    if (const Kernels* k = kernels(simd)) return *k;
  }
  return scalar_kernels();
}

const char* name(Simd simd) {
  switch (simd) {
    case Simd::scalar:
      return "scalar";
    case Simd::neon:
      return "neon";
    case Simd::avx2:
      return "avx2";
    case Simd::avx512:
      return "avx512";
  }
  return "?";
}

std::optional<Simd> parse_simd(std::string_view text) {
  for (const Simd simd : {Simd::scalar, Simd::neon, Simd::avx2, Simd::avx512}) {
    if (text == name(simd)) return simd;
  }
  return std::nullopt;
}

bool float_mode_is_exact() {
  // Through volatile, so that the processor answers and not the compiler.
  volatile float smallest = std::numeric_limits<float>::denorm_min();
  volatile float normal = std::numeric_limits<float>::min();
  volatile float half = 0.5f;
  return std::fegetround() == FE_TONEAREST && smallest * 1.0f > 0.0f && normal * half > 0.0f;
}

}  // namespace harambee::trainer

// Between kernels.cpp and the files that hold the levels; nobody else includes it.
#pragma once

#include "trainer/exact/kernels.h"

namespace harambee::trainer {

// Scores of a block are rows of this multiple: no level's panel is wider.
inline constexpr std::size_t kAttentionPad = 32;

[[nodiscard]] const Kernels& scalar_kernels();
// Null when the compiler has no such target or the processor cannot run it.
[[nodiscard]] const Kernels* simd_kernels(Simd simd);

}  // namespace harambee::trainer

// The arithmetic of the exact trainer, once per SIMD level, with the same bits at every level.
//
// Matrix products: one accumulator per output element; the inner dimension is walked in order with
// one fused multiply-add a step; vectors run over output columns. Blocking over the inner dimension
// only stores and reloads the accumulator, and threads split outputs, never sums. So an element is
//   c = start; for k = 0 … K-1: c = fma(a[m,k], b[k,n], c)
// whatever the vector width, the tiles or the number of threads (spec/exact-trainer.md).
//
// Every function is pure over the memory it is given, allocates nothing, and is safe to call from
// several threads on disjoint outputs. Matrices are row-major; strides count floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace harambee::trainer {

enum class Simd { scalar, neon, avx2, avx512 };

// The second factor: plain rows, or packed into panels once for many products.
struct GemmB {
  const float* data = nullptr;
  std::size_t row_stride = 0;  // 0: packed panels
};

// C[M,N] = start + A[M,K] · B[K,N].
struct Gemm {
  std::size_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  // a[m * a_row + k * a_column]; one of the strides is 1
  std::size_t a_row = 0, a_column = 1;
  GemmB b;
  float* c = nullptr;
  std::size_t c_row = 0;
  const float* start = nullptr;  // null: +0; may be c itself (accumulate)
  std::size_t start_row = 0;
};

// One AdamW update, its factors already rounded to float (optimizer.h).
struct AdamStep {
  float gradient_scale = 1;  // from clipping
  float beta1 = 0, one_minus_beta1 = 0;
  float beta2 = 0, one_minus_beta2 = 0;
  float step_size = 0;   // lr / (1 - beta1^t)
  float root_scale = 0;  // 1 / sqrt(1 - beta2^t)
  float eps = 0;
  float decay = 1;  // 1 - lr * weight_decay
};

// Where one attention head group's rows lie. Rows are tokens of one sequence.
struct Attention {
  std::size_t tokens = 0;     // T
  std::size_t head_size = 0;  // d
  std::size_t group = 0;      // query heads that share the key-value head
  std::size_t qkv_row = 0;    // stride of q, k, v and their gradients
  std::size_t out_row = 0;    // stride of out and d_out
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  float* out = nullptr;      // written by forward, read by backward
  float* peak = nullptr;     // [group, T] largest score of the row
  float* scale = nullptr;    // [group, T] 1 / sum of the row's exponentials
  float* scratch = nullptr;  // attention_scratch() floats of the calling thread
  // backward only
  const float* d_out = nullptr;
  float *d_q = nullptr, *d_k = nullptr, *d_v = nullptr;
};

// Rows of queries are taken in blocks of 16, and a block sees the keys up to its own last row.
inline constexpr std::size_t kAttentionBlock = 16;

struct Kernels {
  Simd simd;
  std::size_t panel;  // columns of a packed panel

  void (*gemm)(const Gemm& task);
  // W[n,k] (a weight matrix as stored: one row per output) into panels for x · Wᵀ. `out` holds
  // packed_size(n, k) floats. Columns beyond n are zero.
  void (*pack_columns)(const float* w, std::size_t w_row, std::size_t n, std::size_t k, float* out);

  // B[k,n] as it is into panels.
  void (*pack_rows)(const float* b, std::size_t b_row, std::size_t k, std::size_t n, float* out);

  // y[t,:] = x[t,:] * r[t] * w with r[t] = 1 / sqrt(mean(x²) + eps).
  void (*rms_norm)(std::size_t tokens, std::size_t width, const float* x, const float* w, float eps,
                   float* y, float* r);
  // y from r already known (the backward pass needs the forward's values again).
  void (*rms_apply)(std::size_t tokens, std::size_t width, const float* x, const float* w,
                    const float* r, float* y);
  // d_x[t,:] = d_skip[t,:] + the gradient through the norm of d_y; a null d_skip is +0. d_x may be
  // d_skip.
  void (*rms_backward)(std::size_t tokens, std::size_t width, const float* x, const float* w,
                       const float* r, const float* d_y, const float* d_skip, float* d_x);
  // d_w[i] = chain over t of fma(d_y[t,i], x[t,i] * r[t], d_w[i]) for the columns [begin, end).
  void (*rms_weight_gradient)(std::size_t tokens, std::size_t width, const float* x, const float* r,
                              const float* d_y, std::size_t begin, std::size_t end, float* d_w);
  // Rotates `heads` heads of every row by +angle (forward) or -angle (backward); cos and sin are
  // [T, head_size / 2].
  void (*rope)(std::size_t tokens, std::size_t heads, std::size_t head_size, std::size_t row,
               const float* cos, const float* sin, bool backward, float* x);
  // act[t,:] = silu(gate) * up, where gate_up is [T, 2F].
  void (*swiglu)(std::size_t tokens, std::size_t ffn, const float* gate_up, float* act);
  // The same activation again, and the gradients of gate and up from d_act.
  void (*swiglu_backward)(std::size_t tokens, std::size_t ffn, const float* gate_up,
                          const float* d_act, float* act, float* d_gate_up);
  // Cross-entropy of one row of logits; with a scale, the row becomes its gradient.
  // Returns the sum of exponentials in `sum` and the largest logit in `peak`.
  void (*softmax_gradient)(std::size_t width, float* logits, std::size_t target, float scale,
                           float* peak, float* sum);
  void (*softmax_sum)(std::size_t width, const float* logits, float* peak, float* sum);
  void (*attention_forward)(const Attention& task);
  void (*attention_backward)(const Attention& task);

  // Sum of squares of n floats: sixteen chains of fused multiply-adds, then the fixed tree.
  float (*sum_squares)(std::size_t n, const float* x);
  void (*add)(std::size_t n, const float* x, float* y);  // y += x
  void (*adam)(std::size_t n, const AdamStep& step, const float* gradient, float* m, float* v,
               float* p);

  // The yardstick of benchmarks: about a millisecond of independent multiply-adds in registers.
  // Returns how many floating-point operations it did, two a multiply-add.
  double (*peak)();
};

[[nodiscard]] inline std::size_t packed_size(const Kernels& kernels, std::size_t n, std::size_t k) {
  return (n + kernels.panel - 1) / kernels.panel * kernels.panel * k;
}
[[nodiscard]] std::size_t attention_scratch(std::size_t tokens, std::size_t head_size);

// Null when this build or this processor lacks the level.
[[nodiscard]] const Kernels* kernels(Simd simd);
// The widest level of this processor.
[[nodiscard]] const Kernels& best_kernels();
[[nodiscard]] const char* name(Simd simd);
// "scalar", "neon", "avx2", "avx512".
[[nodiscard]] std::optional<Simd> parse_simd(std::string_view text);
// True if rounding is to nearest and subnormal numbers are kept: exactness needs both.
[[nodiscard]] bool float_mode_is_exact();

}  // namespace harambee::trainer

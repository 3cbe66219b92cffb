// Causal attention of one sequence and one key-value head with the query heads that share it
// (kernels.h). Included once per level after gemm-inl.h and rows-inl.h.
//
// Rows of queries go in blocks of kAttentionBlock; scores of a block live in the cache and are
// never stored: the backward pass computes them again from the row's peak and scale, which gives
// the same bits (FlashAttention, Dao et al. 2022, arXiv 2205.14135, §3.1).

#if !defined(LANES_SCALAR)
HWY_BEFORE_NAMESPACE();
#endif
namespace harambee::trainer {
namespace LANES_NAMESPACE {

static_assert(kAttentionPad % kPanel == 0);

// The calling thread's scratch: kᵀ and vᵀ as panels, then two blocks of scores.
struct AttentionScratch {
  float *k_panels, *v_panels, *scores, *d_scores;
  std::size_t row;  // of scores: T rounded up to 16
};

LANES_INLINE AttentionScratch attention_layout(const Attention& a) {
  const std::size_t padded = (a.tokens + kAttentionPad - 1) / kAttentionPad * kAttentionPad;
  AttentionScratch s{};
  s.row = padded;
  s.k_panels = a.scratch;
  s.v_panels = s.k_panels + padded * a.head_size;
  s.scores = s.v_panels + padded * a.head_size;
  s.d_scores = s.scores + kAttentionBlock * padded;
  return s;
}

// scores[rows, keys] = rows of x · (packed columns); the inner dimension is the head's.
LANES_INLINE void block_scores(const Attention& a, const float* x, std::size_t x_row,
                               const float* panels, std::size_t rows, std::size_t keys,
                               float* scores, std::size_t row) {
  Gemm g;
  // Whole panels: the scores beyond `keys` cost nothing and nobody reads them.
  g.m = rows, g.n = (keys + kPanel - 1) / kPanel * kPanel, g.k = a.head_size;
  g.a = x, g.a_row = x_row;
  g.b = {panels, 0};
  g.c = scores, g.c_row = row;
  gemm(g);
}

// out[rows, d] = probabilities[rows, keys] · x[keys, d]; the inner dimension is the keys, in order.
LANES_INLINE void block_mix(const Attention& a, const float* weights, std::size_t row,
                            std::size_t rows, std::size_t keys, const float* x, std::size_t x_row,
                            float* out, std::size_t out_row) {
  Gemm g;
  g.m = rows, g.n = a.head_size, g.k = keys;
  g.a = weights, g.a_row = row;
  g.b = {x, x_row};
  g.c = out, g.c_row = out_row;
  gemm(g);
}

// One row: p[s] = exp(score[s] * factor - peak) for s <= t, +0 beyond, up to `keys`; `scale` is one
// over their sum.
LANES_INLINE void row_softmax(float* p, std::size_t t, std::size_t keys, float factor, float* peak,
                              float* scale) {
  const std::size_t live = t + 1;
  // Multiplying by a positive number keeps the order, so the largest may be taken before it.
  *peak = row_peak(live, p) * factor;
  const Lanes factors = fill(factor), top = fill(*peak);
  Lanes acc = fill(0.0f);
  EACH_CHUNK(live, i, count, {
    const Lanes e = exp_or_zero(sub(mul(load_some(p + i, count), factors), top));
    store_some(e, p + i, count);
    acc = add(acc, keep_first(e, count));
  });
  *scale = 1.0f / sum(acc);
  for (std::size_t i = live; i < keys; ++i) p[i] = 0.0f;
}

LANES_INLINE void scale_rows(const Attention& a, std::size_t rows, const float* scale, float* out) {
  for (std::size_t r = 0; r < rows; ++r, out += a.out_row) {
    const Lanes scales = fill(scale[r]);
    EACH_CHUNK(a.head_size, i, count,
               { store_some(mul(load_some(out + i, count), scales), out + i, count); });
  }
}

// The row's probabilities again, from its known peak and scale.
LANES_INLINE void row_softmax_again(float* p, std::size_t t, std::size_t keys, float factor,
                                    float peak, float scale) {
  const std::size_t live = t + 1;
  const Lanes factors = fill(factor), top = fill(peak), scales = fill(scale);
  EACH_CHUNK(live, i, count, {
    const Lanes e = exp_or_zero(sub(mul(load_some(p + i, count), factors), top));
    store_some(mul(e, scales), p + i, count);
  });
  for (std::size_t i = live; i < keys; ++i) p[i] = 0.0f;
}

LANES_INLINE float head_factor(const Attention& a) {
  return 1.0f / std::sqrt(static_cast<float>(a.head_size));
}

inline void attention_forward(const Attention& a) {
  const AttentionScratch s = attention_layout(a);
  pack_columns(a.k, a.qkv_row, a.tokens, a.head_size, s.k_panels);
  const float factor = head_factor(a);
  for (std::size_t h = 0; h < a.group; ++h) {
    for (std::size_t t0 = 0; t0 < a.tokens; t0 += kAttentionBlock) {
      const std::size_t rest = a.tokens - t0;
      const std::size_t rows = rest < kAttentionBlock ? rest : kAttentionBlock;
      const std::size_t keys = t0 + rows;
      const float* q = a.q + h * a.head_size + t0 * a.qkv_row;
      block_scores(a, q, a.qkv_row, s.k_panels, rows, keys, s.scores, s.row);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t at = h * a.tokens + t0 + r;
        row_softmax(s.scores + r * s.row, t0 + r, keys, factor, a.peak + at, a.scale + at);
      }
      float* const out = a.out + h * a.head_size + t0 * a.out_row;
      block_mix(a, s.scores, s.row, rows, keys, a.v, a.qkv_row, out, a.out_row);
      scale_rows(a, rows, a.scale + h * a.tokens + t0, out);
    }
  }
}

// Scores' gradients of one block: ds = p (dp - Σ d_out·out) / √d, in place of dp.
LANES_INLINE void block_score_gradients(const Attention& a, const AttentionScratch& s,
                                        std::size_t h, std::size_t t0, std::size_t rows,
                                        std::size_t keys, float factor) {
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t at = (t0 + r) * a.out_row + h * a.head_size;
    Lanes acc = fill(0.0f);
    EACH_CHUNK(a.head_size, i, count, {
      acc = fma(load_some(a.d_out + at + i, count), load_some(a.out + at + i, count), acc);
    });
    const Lanes mean = fill(sum(acc));
    const Lanes factors = fill(factor);
    const float* p = s.scores + r * s.row;
    float* d = s.d_scores + r * s.row;
    EACH_CHUNK(keys, i, count, {
      const Lanes x = sub(load_some(d + i, count), mean);
      store_some(mul(mul(load_some(p + i, count), x), factors), d + i, count);
    });
  }
}

// d_x[keys, d] += weights[rows, keys]ᵀ · y[rows, d]; the inner dimension is the rows, in order.
LANES_INLINE void block_scatter(const Attention& a, const float* weights, std::size_t row,
                                std::size_t rows, std::size_t keys, const float* y,
                                std::size_t y_row, float* d_x) {
  Gemm g;
  g.m = keys, g.n = a.head_size, g.k = rows;
  g.a = weights, g.a_row = 1, g.a_column = row;
  g.b = {y, y_row};
  g.c = d_x, g.c_row = a.qkv_row;
  g.start = d_x, g.start_row = a.qkv_row;
  gemm(g);
}

inline void attention_backward(const Attention& a) {
  const AttentionScratch s = attention_layout(a);
  pack_columns(a.k, a.qkv_row, a.tokens, a.head_size, s.k_panels);
  pack_columns(a.v, a.qkv_row, a.tokens, a.head_size, s.v_panels);
  for (std::size_t t = 0; t < a.tokens; ++t) {
    std::memset(a.d_k + t * a.qkv_row, 0, a.head_size * sizeof(float));
    std::memset(a.d_v + t * a.qkv_row, 0, a.head_size * sizeof(float));
  }
  const float factor = head_factor(a);
  for (std::size_t h = 0; h < a.group; ++h) {
    for (std::size_t t0 = 0; t0 < a.tokens; t0 += kAttentionBlock) {
      const std::size_t rest = a.tokens - t0;
      const std::size_t rows = rest < kAttentionBlock ? rest : kAttentionBlock;
      const std::size_t keys = t0 + rows;
      const float* q = a.q + h * a.head_size + t0 * a.qkv_row;
      const float* d_out = a.d_out + h * a.head_size + t0 * a.out_row;
      block_scores(a, q, a.qkv_row, s.k_panels, rows, keys, s.scores, s.row);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t at = h * a.tokens + t0 + r;
        row_softmax_again(s.scores + r * s.row, t0 + r, keys, factor, a.peak[at], a.scale[at]);
      }
      block_scores(a, d_out, a.out_row, s.v_panels, rows, keys, s.d_scores, s.row);
      block_scatter(a, s.scores, s.row, rows, keys, d_out, a.out_row, a.d_v);
      block_score_gradients(a, s, h, t0, rows, keys, factor);
      block_mix(a, s.d_scores, s.row, rows, keys, a.k, a.qkv_row,
                a.d_q + h * a.head_size + t0 * a.qkv_row, a.qkv_row);
      block_scatter(a, s.d_scores, s.row, rows, keys, q, a.qkv_row, a.d_k);
    }
  }
}

}  // namespace LANES_NAMESPACE
}  // namespace harambee::trainer
#if !defined(LANES_SCALAR)
HWY_AFTER_NAMESPACE();
#endif

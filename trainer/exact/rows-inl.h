// Row operations (kernels.h): norms, rotary embedding, SwiGLU, softmax, AdamW. Included once per
// level after lanes-inl.h. A row of any length is taken sixteen floats at a time, the last chunk
// padded with zeros, so the chains of a reduction are the same everywhere.

#if !defined(LANES_SCALAR)
HWY_BEFORE_NAMESPACE();
#endif
namespace harambee::trainer {
namespace LANES_NAMESPACE {

// body(offset, count): full chunks first, with a constant count so that loads are plain.
#define EACH_CHUNK(n, i, count, ...)       \
  do {                                     \
    std::size_t i = 0;                     \
    for (; i + kWide <= (n); i += kWide) { \
      constexpr std::size_t count = kWide; \
      __VA_ARGS__                          \
    }                                      \
    if (i < (n)) {                         \
      const std::size_t count = (n)-i;     \
      __VA_ARGS__                          \
    }                                      \
  } while (false)

inline float sum_squares(std::size_t n, const float* x) {
  Lanes acc = fill(0.0f);
  EACH_CHUNK(n, i, count, {
    const Lanes a = load_some(x + i, count);
    acc = fma(a, a, acc);
  });
  return sum(acc);
}

inline void add_to(std::size_t n, const float* x, float* y) {
  EACH_CHUNK(n, i, count,
             { store_some(add(load_some(y + i, count), load_some(x + i, count)), y + i, count); });
}

inline void rms_apply(std::size_t tokens, std::size_t width, const float* x, const float* w,
                      const float* r, float* y) {
  for (std::size_t t = 0; t < tokens; ++t, x += width, y += width) {
    const Lanes scale = fill(r[t]);
    EACH_CHUNK(width, i, count, {
      const Lanes a = mul(load_some(x + i, count), scale);
      store_some(mul(a, load_some(w + i, count)), y + i, count);
    });
  }
}

inline void rms_norm(std::size_t tokens, std::size_t width, const float* x, const float* w,
                     float eps, float* y, float* r) {
  for (std::size_t t = 0; t < tokens; ++t) {
    const float mean = sum_squares(width, x + t * width) / static_cast<float>(width);
    r[t] = 1.0f / std::sqrt(mean + eps);
  }
  rms_apply(tokens, width, x, w, r, y);
}

// With g = d_y * w and r = 1/rms: d_x = r g - x r³ Σ(g x) / H.
inline void rms_backward(std::size_t tokens, std::size_t width, const float* x, const float* w,
                         const float* r, const float* d_y, const float* d_skip, float* d_x) {
  for (std::size_t t = 0; t < tokens; ++t) {
    Lanes acc = fill(0.0f);
    EACH_CHUNK(width, i, count, {
      const Lanes g = mul(load_some(d_y + i, count), load_some(w + i, count));
      acc = fma(g, load_some(x + i, count), acc);
    });
    const float scale = r[t];
    const float pull = sum(acc) * scale * scale * scale / static_cast<float>(width);
    const Lanes scales = fill(scale);
    const Lanes pulls = fill(pull);
    EACH_CHUNK(width, i, count, {
      const Lanes g = mul(load_some(d_y + i, count), load_some(w + i, count));
      const Lanes d = fnma(load_some(x + i, count), pulls, mul(g, scales));
      const Lanes skip = d_skip ? load_some(d_skip + i, count) : fill(0.0f);
      store_some(add(skip, d), d_x + i, count);
    });
    x += width, d_y += width, d_x += width;
    if (d_skip) d_skip += width;
  }
}

inline void rms_weight_gradient(std::size_t tokens, std::size_t width, const float* x,
                                const float* r, const float* d_y, std::size_t begin,
                                std::size_t end, float* d_w) {
  const std::size_t columns = end - begin;
  EACH_CHUNK(columns, i, count, {
    Lanes acc = load_some(d_w + begin + i, count);
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::size_t at = t * width + begin + i;
      acc = fma(load_some(d_y + at, count), mul(load_some(x + at, count), fill(r[t])), acc);
    }
    store_some(acc, d_w + begin + i, count);
  });
}

// Pairs (i, i + d/2): a' = a c - b s, b' = b c + a s; backward turns the other way.
inline void rope(std::size_t tokens, std::size_t heads, std::size_t head_size, std::size_t row,
                 const float* cos, const float* sin, bool backward, float* x) {
  const std::size_t half = head_size / 2;
  for (std::size_t t = 0; t < tokens; ++t, x += row, cos += half, sin += half) {
    for (std::size_t h = 0; h < heads; ++h) {
      float* low = x + h * head_size;
      float* high = low + half;
      EACH_CHUNK(half, i, count, {
        const Lanes a = load_some(low + i, count);
        const Lanes b = load_some(high + i, count);
        const Lanes c = load_some(cos + i, count);
        Lanes s = load_some(sin + i, count);
        if (backward) s = sub(fill(0.0f), s);
        store_some(fnma(b, s, mul(a, c)), low + i, count);
        store_some(fma(a, s, mul(b, c)), high + i, count);
      });
    }
  }
}

inline void swiglu(std::size_t tokens, std::size_t ffn, const float* gate_up, float* act) {
  for (std::size_t t = 0; t < tokens; ++t, gate_up += 2 * ffn, act += ffn) {
    EACH_CHUNK(ffn, i, count, {
      const Lanes g = load_some(gate_up + i, count);
      const Lanes u = load_some(gate_up + ffn + i, count);
      store_some(mul(mul(g, sigmoid(g)), u), act + i, count);
    });
  }
}

// silu'(g) = σ(g) (1 + g (1 - σ(g))).
inline void swiglu_backward(std::size_t tokens, std::size_t ffn, const float* gate_up,
                            const float* d_act, float* act, float* d_gate_up) {
  const Lanes one = fill(1.0f);
  for (std::size_t t = 0; t < tokens; ++t) {
    EACH_CHUNK(ffn, i, count, {
      const Lanes g = load_some(gate_up + i, count);
      const Lanes u = load_some(gate_up + ffn + i, count);
      const Lanes d = load_some(d_act + i, count);
      const Lanes s = sigmoid(g);
      const Lanes silu = mul(g, s);
      const Lanes slope = mul(s, fma(g, sub(one, s), one));
      store_some(mul(silu, u), act + i, count);
      store_some(mul(mul(d, u), slope), d_gate_up + i, count);
      store_some(mul(d, silu), d_gate_up + ffn + i, count);
    });
    gate_up += 2 * ffn, d_gate_up += 2 * ffn, act += ffn, d_act += ffn;
  }
}

LANES_INLINE float row_peak(std::size_t width, const float* x) {
  Lanes top = fill(x[0]);
  std::size_t i = 0;
  for (; i + kWide <= width; i += kWide) top = max(top, load(x + i));
  float peak = largest(top);
  for (; i < width; ++i) peak = peak > x[i] ? peak : x[i];
  return peak;
}

inline void softmax_sum(std::size_t width, const float* logits, float* peak, float* total) {
  *peak = row_peak(width, logits);
  const Lanes top = fill(*peak);
  Lanes acc = fill(0.0f);
  EACH_CHUNK(width, i, count, {
    const Lanes e = exp_or_zero(sub(load_some(logits + i, count), top));
    acc = add(acc, keep_first(e, count));
  });
  *total = sum(acc);
}

inline void softmax_gradient(std::size_t width, float* logits, std::size_t target, float scale,
                             float* peak, float* total) {
  *peak = row_peak(width, logits);
  const Lanes top = fill(*peak);
  Lanes acc = fill(0.0f);
  EACH_CHUNK(width, i, count, {
    const Lanes e = exp_or_zero(sub(load_some(logits + i, count), top));
    store_some(e, logits + i, count);
    acc = add(acc, keep_first(e, count));
  });
  *total = sum(acc);
  const Lanes factor = fill(scale / *total);
  EACH_CHUNK(width, i, count,
             { store_some(mul(load_some(logits + i, count), factor), logits + i, count); });
  logits[target] = logits[target] - scale;
}

inline void adam(std::size_t n, const AdamStep& step, const float* gradient, float* m, float* v,
                 float* p) {
  const Lanes scale = fill(step.gradient_scale);
  const Lanes beta1 = fill(step.beta1), rest1 = fill(step.one_minus_beta1);
  const Lanes beta2 = fill(step.beta2), rest2 = fill(step.one_minus_beta2);
  const Lanes size = fill(step.step_size), root = fill(step.root_scale);
  const Lanes eps = fill(step.eps), decay = fill(step.decay);
  EACH_CHUNK(n, i, count, {
    const Lanes g = mul(load_some(gradient + i, count), scale);
    const Lanes m1 = fma(rest1, g, mul(beta1, load_some(m + i, count)));
    const Lanes v1 = fma(mul(rest2, g), g, mul(beta2, load_some(v + i, count)));
    const Lanes denominator = fma(sqrt(v1), root, eps);
    const Lanes p1 = fnma(size, div(m1, denominator), mul(load_some(p + i, count), decay));
    store_some(m1, m + i, count);
    store_some(v1, v + i, count);
    store_some(p1, p + i, count);
  });
}

}  // namespace LANES_NAMESPACE
}  // namespace harambee::trainer
#if !defined(LANES_SCALAR)
HWY_AFTER_NAMESPACE();
#endif

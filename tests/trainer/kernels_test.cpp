// The promise of kernels.h: the same bits at every SIMD level, and the products are chains of
// fused multiply-adds.
#include "trainer/exact/kernels.h"

#include "support.h"

namespace harambee::trainer {
namespace {

struct Shape {
  std::size_t m, n, k;
};
constexpr Shape kShapes[] = {{1, 1, 1},   {1, 33, 5},   {13, 32, 7},    {12, 31, 257}, {5, 64, 300},
                             {25, 65, 1}, {193, 17, 3}, {40, 100, 513}, {7, 1, 64},    {3, 5, 0}};

std::vector<float> chain(const Shape& s, const std::vector<float>& a, const std::vector<float>& b,
                         const std::vector<float>& start) {
  std::vector<float> c(s.m * s.n, 0.0f);
  for (std::size_t m = 0; m < s.m; ++m) {
    for (std::size_t n = 0; n < s.n; ++n) {
      float x = start.empty() ? 0.0f : start[m * s.n + n];
      for (std::size_t k = 0; k < s.k; ++k) x = std::fma(a[m * s.k + k], b[k * s.n + n], x);
      c[m * s.n + n] = x;
    }
  }
  return c;
}

std::vector<float> transpose(const std::vector<float>& x, std::size_t rows, std::size_t columns) {
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) y[j * rows + i] = x[i * columns + j];
  }
  return y;
}

class Levels : public testing::TestWithParam<Simd> {
 protected:
  const Kernels& k = *kernels(GetParam());
};
INSTANTIATE_TEST_SUITE_P(All, Levels, testing::ValuesIn(levels()),
                         [](const auto& info) { return name(info.param); });

TEST_P(Levels, ProductIsAChainOfFusedMultiplyAdds) {
  for (const Shape& s : kShapes) {
    Numbers numbers("product");
    const std::vector<float> a = numbers.some(s.m * s.k), b = numbers.some(s.k * s.n);
    const std::vector<float> start = numbers.some(s.m * s.n);
    const std::vector<float> a_columns = transpose(a, s.m, s.k), w = transpose(b, s.k, s.n);
    std::vector<float> from_columns(packed_size(k, s.n, s.k)), from_rows(from_columns.size());
    k.pack_columns(w.data(), s.k, s.n, s.k, from_columns.data());
    k.pack_rows(b.data(), s.n, s.k, s.n, from_rows.data());
    for (const bool starts : {false, true}) {
      const std::vector<float> want = chain(s, a, b, starts ? start : std::vector<float>());
      for (const GemmB& factor :
           {GemmB{b.data(), s.n}, GemmB{from_columns.data(), 0}, GemmB{from_rows.data(), 0}}) {
        for (const bool transposed : {false, true}) {
          // One row more than needed, to see that nothing is written outside.
          std::vector<float> c(s.m * (s.n + 3) + 16, 7.0f);
          Gemm g;
          g.m = s.m, g.n = s.n, g.k = s.k;
          g.a = transposed ? a_columns.data() : a.data();
          g.a_row = transposed ? 1 : s.k;
          g.a_column = transposed ? s.m : 1;
          g.b = factor;
          g.c = c.data(), g.c_row = s.n + 3;
          g.start = starts ? start.data() : nullptr, g.start_row = s.n;
          k.gemm(g);
          for (std::size_t i = 0; i < c.size(); ++i) {
            const std::size_t m = i / (s.n + 3), n = i % (s.n + 3);
            const float expected = m < s.m && n < s.n ? want[m * s.n + n] : 7.0f;
            ASSERT_EQ(std::memcmp(&c[i], &expected, 4), 0)
                << s.m << "x" << s.n << "x" << s.k << " at " << m << "," << n;
          }
        }
      }
    }
  }
}

TEST_P(Levels, RowOperationsEqualTheScalarLevelBitForBit) {
  const Kernels& reference = *kernels(Simd::scalar);
  for (std::size_t width : {1, 2, 15, 16, 17, 31, 50, 64, 129}) {
    const std::size_t tokens = 3;
    const auto run = [&](const Kernels& level) {
      Numbers numbers("rows");
      std::vector<float> all;
      const auto keep = [&](const std::vector<float>& x) {
        all.insert(all.end(), x.begin(), x.end());
      };
      const auto x = numbers.some(tokens * width, 4), w = numbers.some(width);
      const auto d = numbers.some(tokens * width), gates = numbers.some(tokens * 2 * width, 100);
      std::vector<float> y(tokens * width), r(tokens), d_w(width, 0.5f), wide(2 * y.size());
      level.rms_norm(tokens, width, x.data(), w.data(), 1e-5f, y.data(), r.data());
      keep(y), keep(r);
      level.rms_backward(tokens, width, x.data(), w.data(), r.data(), d.data(), x.data(), y.data());
      keep(y);
      level.rms_weight_gradient(tokens, width, x.data(), r.data(), d.data(), 0, width, d_w.data());
      keep(d_w);
      level.swiglu(tokens, width, gates.data(), y.data());
      keep(y);
      level.swiglu_backward(tokens, width, gates.data(), d.data(), y.data(), wide.data());
      keep(y), keep(wide);
      float peak = 0, total = 0;
      level.softmax_sum(width, gates.data(), &peak, &total);
      keep({peak, total});
      y = gates;
      level.softmax_gradient(width, y.data(), width / 2, 0.25f, &peak, &total);
      keep(y), keep({peak, total, level.sum_squares(width, x.data())});
      y = d;
      level.rope(tokens, 1, width / 2 * 2, width, d.data(), x.data(), true, y.data());
      keep(y);
      std::vector<float> m = numbers.some(width), v = numbers.some(width), p = numbers.some(width);
      for (float& square : v) square = square * square;
      const AdamStep step{0.7f, 0.9f, 0.1f, 0.99f, 0.01f, 0.003f, 1.5f, 1e-8f, 0.999f};
      level.adam(width, step, d.data(), m.data(), v.data(), p.data());
      keep(m), keep(v), keep(p);
      return all;
    };
    EXPECT_TRUE(same_bits(run(k), run(reference))) << "width " << width;
  }
}

TEST_P(Levels, AttentionEqualsTheScalarLevelBitForBit) {
  const Kernels& reference = *kernels(Simd::scalar);
  for (const std::size_t tokens : {1, 15, 16, 17, 40}) {
    for (const std::size_t d : {2, 6, 8, 32, 34}) {
      const auto run = [&](const Kernels& level) {
        Numbers numbers("attention");
        const std::size_t group = 2, row = 4 * d;
        const auto qkv = numbers.some(tokens * row, 3), d_out = numbers.some(tokens * 2 * d);
        std::vector<float> out(tokens * 2 * d), d_qkv(tokens * row), scratch, peak(group * tokens),
            scale(group * tokens);
        scratch.resize(attention_scratch(tokens, d), NAN);
        Attention a;
        a.tokens = tokens, a.head_size = d, a.group = group, a.qkv_row = row, a.out_row = 2 * d;
        a.q = qkv.data(), a.k = qkv.data() + 2 * d, a.v = qkv.data() + 3 * d;
        a.out = out.data(), a.peak = peak.data(), a.scale = scale.data();
        a.scratch = scratch.data();
        level.attention_forward(a);
        a.d_out = d_out.data();
        a.d_q = d_qkv.data(), a.d_k = d_qkv.data() + 2 * d, a.d_v = d_qkv.data() + 3 * d;
        level.attention_backward(a);
        out.insert(out.end(), d_qkv.begin(), d_qkv.end());
        return out;
      };
      const std::vector<float> got = run(k);
      EXPECT_TRUE(same_bits(got, run(reference))) << tokens << " tokens, head size " << d;
      for (const float x : got) ASSERT_TRUE(std::isfinite(x));
    }
  }
}

TEST_P(Levels, AttentionIsCausalSoftmaxAttention) {
  const std::size_t tokens = 37, d = 8;
  Numbers numbers("causal");
  const auto q = numbers.some(tokens * d, 2), kv = numbers.some(tokens * d, 2),
             v = numbers.some(tokens * d);
  std::vector<float> qkv(tokens * 3 * d), out(tokens * d), peak(tokens), scale(tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::memcpy(&qkv[t * 3 * d], &q[t * d], d * 4);
    std::memcpy(&qkv[t * 3 * d + d], &kv[t * d], d * 4);
    std::memcpy(&qkv[t * 3 * d + 2 * d], &v[t * d], d * 4);
  }
  std::vector<float> scratch(attention_scratch(tokens, d));
  Attention a;
  a.tokens = tokens, a.head_size = d, a.group = 1, a.qkv_row = 3 * d, a.out_row = d;
  a.q = qkv.data(), a.k = qkv.data() + d, a.v = qkv.data() + 2 * d, a.out = out.data();
  a.peak = peak.data(), a.scale = scale.data(), a.scratch = scratch.data();
  k.attention_forward(a);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::vector<double> p(t + 1);
    double total = 0;
    for (std::size_t s = 0; s <= t; ++s) {
      double dot = 0;
      for (std::size_t i = 0; i < d; ++i) dot += double{q[t * d + i]} * kv[s * d + i];
      total += p[s] = std::exp(dot / std::sqrt(8.0));
    }
    for (std::size_t i = 0; i < d; ++i) {
      double want = 0;
      for (std::size_t s = 0; s <= t; ++s) want += p[s] / total * v[s * d + i];
      EXPECT_NEAR(out[t * d + i], want, 2e-6);
    }
  }
}

TEST_P(Levels, SoftmaxGradientIsProbabilitiesMinusTheTarget) {
  Numbers numbers("softmax");
  std::vector<float> logits = numbers.some(40, 5);
  const std::vector<float> before = logits;
  float peak = 0, total = 0;
  k.softmax_gradient(40, logits.data(), 7, 1.0f, &peak, &total);
  double sum = 0;
  for (const float x : before) sum += std::exp(double{x} - peak);
  EXPECT_NEAR(total, sum, 1e-6 * sum);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_NEAR(logits[i], std::exp(double{before[i]} - peak) / sum - (i == 7 ? 1 : 0), 1e-6);
  }
}

TEST(Kernels, LevelsHaveNames) {
  for (const Simd simd : levels()) EXPECT_EQ(parse_simd(name(simd)), simd);
  EXPECT_EQ(parse_simd("sse2"), std::nullopt);
  EXPECT_TRUE(float_mode_is_exact());
}

}  // namespace
}  // namespace harambee::trainer

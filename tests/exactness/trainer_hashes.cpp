// Prints "name sha256" for each scenario of the exact trainer, at each SIMD level and for one and
// three threads (compare.sh): lines of one name must agree on every machine and in every build.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "format/model.h"
#include "trainer/exact/kernels.h"
#include "trainer/exact/math.h"
#include "trainer/exact/model.h"
#include "trainer/exact/optimizer.h"
#include "trainer/exact/trainer.h"

namespace {

using namespace harambee;
using namespace harambee::trainer;

template <typename T>
void print(const std::string& name, std::span<const T> values) {
  const View bytes(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes());
  std::printf("%s %s\n", name.c_str(), sha256(bytes).hex().c_str());
}

std::vector<float> numbers(std::size_t n, std::string_view name) {
  Rng rng(sha256(view(name)));
  std::vector<float> x(n);
  for (float& value : x) {
    value =
        static_cast<float>(static_cast<std::int64_t>(rng.next() >> 40) - (1 << 23)) / 8388608.0f;
  }
  return x;
}

void elementary_functions() {
  std::vector<double> values;
  for (int i = 0; i < 2000; ++i) {
    const double x = 0.7 * i;
    const SinCos angle = exact_sin_cos(x * x);
    values.insert(values.end(), {exact_exp(x - 700), exact_log(x + 0.001), angle.sin, angle.cos});
  }
  print("trainer.elementary", std::span<const double>(values));
}

void products(const Kernels& k) {
  const std::size_t m = 37, n = 75, depth = 530;
  const std::vector<float> a = numbers(m * depth, "a"), b = numbers(depth * n, "b");
  std::vector<float> c(m * n);
  Gemm g;
  g.m = m, g.n = n, g.k = depth;
  g.a = a.data(), g.a_row = depth, g.b = {b.data(), n}, g.c = c.data(), g.c_row = n;
  k.gemm(g);
  print("trainer.product", std::span<const float>(c));
}

void rows(const Kernels& k) {
  const std::size_t width = 77;
  const std::vector<float> gates = numbers(4 * width, "gates"), up = numbers(2 * width, "up");
  std::vector<float> act(2 * width), d_gates(4 * width), logits = gates;
  float peak = 0, total = 0;
  k.swiglu_backward(2, width, gates.data(), up.data(), act.data(), d_gates.data());
  for (float& x : logits) x = 30.0f * x;
  k.softmax_gradient(logits.size(), logits.data(), 3, 0.1f, &peak, &total);
  std::vector<float> all = act;
  all.insert(all.end(), d_gates.begin(), d_gates.end());
  all.insert(all.end(), logits.begin(), logits.end());
  all.insert(all.end(), {peak, total, k.sum_squares(up.size(), up.data())});
  print("trainer.rows", std::span<const float>(all));
}

format::ModelConfig config(bool tied) {
  format::ModelConfig c;
  c.hidden = 48, c.layers = 2, c.heads = 6, c.kv_heads = 2, c.ffn = 100, c.vocab = 256;
  c.context = 50, c.tied = tied;
  c.rope_theta = Decimal::parse("10000").value();
  c.norm_eps = Decimal::parse("0.00001").value();
  return c;
}

void training(const Kernels& k, unsigned threads, bool tied) {
  const std::string name = tied ? "trainer.tied." : "trainer.untied.";
  ModelOptions options;
  options.kernels = &k;
  options.threads = threads;
  auto model = Model::make(format::ModelLayout::make(config(tied)).value(), options).value();
  init_weights(model->layout(), sha256(view("seed")), model->parameters());
  model->touch();
  print(name + "init", std::span<const float>(model->parameters()));
  InnerConfig inner;
  inner.lr = 0.01, inner.final = 0.1, inner.warmup = 2, inner.beta1 = 0.9, inner.beta2 = 0.99;
  inner.eps = 1e-8, inner.weight_decay = 0.1, inner.clip = 1;
  const std::size_t batch = 3, row = model->layout().config().context + 1;
  if (!model->reserve_training(batch).ok()) return;
  AdamW optimizer = AdamW::make(model->layout()).value();
  Rng rng(sha256(view("tokens")));
  std::vector<Token> tokens(batch * row);
  std::vector<double> losses(batch);
  for (std::uint64_t step = 0; step < 4; ++step) {
    for (Token& token : tokens) token = static_cast<Token>(rng.below(64));
    model->gradient(tokens, batch, losses);
    optimizer.step(*model, inner, learning_rate(inner, step, 6));
  }
  print(name + "gradients", std::span<const float>(model->gradients()));
  print(name + "weights", std::span<const float>(model->parameters()));
  print(name + "moments", std::span<const float>(optimizer.v()));
  print(name + "losses", std::span<const double>(losses));
  model->losses(tokens, batch, losses);
  print(name + "evaluation", std::span<const double>(losses));
}

}  // namespace

int main() {
  elementary_functions();
  for (const Simd simd : {Simd::scalar, Simd::neon, Simd::avx2, Simd::avx512}) {
    const Kernels* k = kernels(simd);
    if (k == nullptr) continue;
    products(*k);
    rows(*k);
    for (const unsigned threads : {1u, 3u}) {
      training(*k, threads, false);
      training(*k, threads, true);
    }
  }
  return 0;
}

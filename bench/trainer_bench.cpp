// The exact trainer's speed, with its yardsticks in the same run: the processor's fused
// multiply-add peak and OpenBLAS with the kernels that fit the processor.
//
// CPU time is what counts on a shared machine; items are FLOP for products and tokens for training.
// OpenBLAS is loaded at run time, so nothing here depends on it; its detection fails on some
// processors, so OPENBLAS_CORETYPE can be set by the caller.
#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "format/model.h"
#include "trainer/exact/kernels.h"
#include "trainer/exact/model.h"
#include "trainer/exact/optimizer.h"
#include "trainer/exact/trainer.h"

namespace {

using namespace harambee;
using namespace harambee::trainer;

using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int,
                       float, float*, int);
constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;

// Null without OpenBLAS. One thread: the benchmark measures kernels.
Sgemm openblas() {
  static const Sgemm function = []() -> Sgemm {
    void* library = dlopen("libopenblas.so.0", RTLD_NOW);
    if (library == nullptr) return nullptr;
    using SetThreads = void (*)(int);
    if (auto set = reinterpret_cast<SetThreads>(dlsym(library, "openblas_set_num_threads"))) set(1);
    return reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  }();
  return function;
}

std::vector<float> numbers(std::size_t n) {
  std::vector<float> x(n);
  std::uint32_t state = 1;
  for (float& value : x) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
  }
  return x;
}

// Which of the three products of a linear layer.
enum Product { forward, input_gradient, weight_gradient };

struct Operands {
  explicit Operands(const benchmark::State& state)
      : product(static_cast<Product>(state.range(1))),
        tokens(static_cast<std::size_t>(state.range(2))),
        in(static_cast<std::size_t>(state.range(3))),
        out(static_cast<std::size_t>(state.range(4))),
        x(numbers(tokens * in)),
        w(numbers(out * in)),
        y(numbers(tokens * out)) {}
  Product product;
  std::size_t tokens, in, out;
  std::vector<float> x, w, y;
};

void report_flops(benchmark::State& state, const Operands& o) {
  const double flops = 2.0 * static_cast<double>(o.tokens * o.in * o.out);
  state.counters["FLOP"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void exact_product(benchmark::State& state) {
  const Kernels* k = kernels(static_cast<Simd>(state.range(0)));
  if (k == nullptr) return state.SkipWithError("no such SIMD level here");
  Operands o(state);
  std::vector<float> panels(packed_size(*k, o.out, o.in));
  Gemm g;
  if (o.product == forward) {
    g.m = o.tokens, g.n = o.out, g.k = o.in;
    g.a = o.x.data(), g.a_row = o.in, g.b = {panels.data(), 0}, g.c = o.y.data(), g.c_row = o.out;
  } else if (o.product == input_gradient) {
    g.m = o.tokens, g.n = o.in, g.k = o.out;
    g.a = o.y.data(), g.a_row = o.out, g.b = {o.w.data(), o.in}, g.c = o.x.data(), g.c_row = o.in;
  } else {
    g.m = o.out, g.n = o.in, g.k = o.tokens;
    g.a = o.y.data(), g.a_row = 1, g.a_column = o.out;
    g.b = {o.x.data(), o.in}, g.c = o.w.data(), g.c_row = o.in;
  }
  for (auto _ : state) {
    // Weights change every step, so packing them is part of the price.
    if (o.product == forward) k->pack_columns(o.w.data(), o.in, o.out, o.in, panels.data());
    k->gemm(g);
    benchmark::ClobberMemory();
  }
  report_flops(state, o);
}

void openblas_product(benchmark::State& state) {
  const Sgemm sgemm = openblas();
  if (sgemm == nullptr) return state.SkipWithError("no libopenblas.so.0");
  Operands o(state);
  const int t = static_cast<int>(o.tokens), i = static_cast<int>(o.in), n = static_cast<int>(o.out);
  float *x = o.x.data(), *w = o.w.data(), *y = o.y.data();
  for (auto _ : state) {
    if (o.product == forward) {
      sgemm(kRowMajor, kPlain, kTransposed, t, n, i, 1, x, i, w, i, 0, y, n);
    } else if (o.product == input_gradient) {
      sgemm(kRowMajor, kPlain, kPlain, t, i, n, 1, y, n, w, i, 0, x, i);
    } else {
      sgemm(kRowMajor, kTransposed, kPlain, n, i, t, 1, y, n, x, i, 0, w, i);
    }
    benchmark::ClobberMemory();
  }
  report_flops(state, o);
}

void fma_peak(benchmark::State& state) {
  const Kernels* k = kernels(static_cast<Simd>(state.range(0)));
  if (k == nullptr) return state.SkipWithError("no such SIMD level here");
  double flops = 0;
  for (auto _ : state) flops += k->peak();
  state.counters["FLOP"] = benchmark::Counter(flops, benchmark::Counter::kIsRate);
}

format::ModelConfig recipe_model() {
  format::ModelConfig c;
  c.hidden = 128, c.layers = 6, c.heads = 4, c.kv_heads = 2, c.ffn = 384, c.vocab = 256;
  c.context = 128;
  c.rope_theta = Decimal{10'000'000'000'000};
  c.norm_eps = Decimal{10'000};
  return c;
}

std::unique_ptr<Model> recipe(benchmark::State& state) {
  ModelOptions options;
  options.kernels = kernels(static_cast<Simd>(state.range(0)));
  options.threads = static_cast<unsigned>(state.range(1));
  if (options.kernels == nullptr) {
    state.SkipWithError("no such SIMD level here");
    return nullptr;
  }
  auto model = Model::make(format::ModelLayout::make(recipe_model()).value(), options).value();
  init_weights(model->layout(), Digest{}, model->parameters());
  model->touch();
  return model;
}

// Multiply-adds of the matrix products alone, twice: 6 P a token, and 12 T·H a layer for attention
// (half of which causality saves).
double step_flops(const Model& model, std::size_t tokens) {
  const format::ModelConfig& c = model.layout().config();
  const double matrices = static_cast<double>(model.layout().parameters() - c.vocab * c.hidden);
  const double attention = 12.0 * c.layers * c.context * c.hidden / 2;
  return static_cast<double>(tokens) * (6.0 * matrices + attention);
}

void training_step(benchmark::State& state) {
  const auto model = recipe(state);
  if (!model) return;
  const auto rows = static_cast<std::size_t>(state.range(2));
  if (!model->reserve_training(model->fast_rows(rows)).ok())
    return state.SkipWithError("no memory");
  AdamW optimizer = AdamW::make(model->layout()).value();
  InnerConfig inner;
  inner.lr = 1e-3, inner.beta1 = 0.9, inner.beta2 = 0.99, inner.eps = 1e-8, inner.clip = 1;
  inner.weight_decay = 0.1;
  const std::size_t context = model->layout().config().context;
  std::vector<Token> tokens(rows * (context + 1));
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = (i * i * 7 + i / 3) % 256;
  std::vector<double> losses(rows);
  for (auto _ : state) {
    model->gradient(tokens, rows, losses);
    optimizer.step(*model, inner, inner.lr);
  }
  using benchmark::Counter;
  state.counters["tokens"] =
      Counter(static_cast<double>(rows * context), Counter::kIsIterationInvariantRate);
  state.counters["FLOP"] =
      Counter(step_flops(*model, rows * context), Counter::kIsIterationInvariantRate);
}

void evaluation(benchmark::State& state) {
  const auto model = recipe(state);
  if (!model) return;
  const auto rows = static_cast<std::size_t>(state.range(2));
  const std::size_t context = model->layout().config().context;
  std::vector<Token> tokens(rows * (context + 1), 'a');
  std::vector<double> losses(rows);
  for (auto _ : state) {
    model->touch();
    model->losses(tokens, rows, losses);
  }
  state.counters["tokens"] = benchmark::Counter(static_cast<double>(rows * context),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

constexpr std::int64_t kAvx2 = static_cast<int>(Simd::avx2);
constexpr std::int64_t kAvx512 = static_cast<int>(Simd::avx512);

void products(benchmark::internal::Benchmark* b, std::vector<std::int64_t> levels) {
  b->ArgNames({"simd", "product", "tokens", "in", "out"});
  for (const std::int64_t level : levels) {
    for (const std::int64_t product : {0, 1, 2}) {
      for (const std::int64_t tokens : {512, 2048}) {
        b->Args({level, product, tokens, 128, 128});
        b->Args({level, product, tokens, 128, 64});
        b->Args({level, product, tokens, 128, 384});
        b->Args({level, product, tokens, 384, 128});
        b->Args({level, product, tokens, 128, 256});
      }
      b->Args({level, product, 512, 512, 512});
      b->Args({level, product, 1024, 1024, 1024});
    }
  }
}

BENCHMARK(fma_peak)->ArgName("simd")->Arg(kAvx2)->Arg(kAvx512);
BENCHMARK(training_step)
    ->ArgNames({"simd", "threads", "rows"})
    ->Args({kAvx512, 1, 4})
    ->Args({kAvx512, 1, 16})
    ->Args({kAvx2, 1, 4})
    ->Args({kAvx2, 1, 16});
BENCHMARK(training_step)
    ->Name("training_step_wall")
    ->ArgNames({"simd", "threads", "rows"})
    ->UseRealTime()
    ->Args({kAvx512, 2, 4})
    ->Args({kAvx512, 2, 16});
BENCHMARK(evaluation)->ArgNames({"simd", "threads", "rows"})->Args({kAvx512, 1, 64});
BENCHMARK(exact_product)->Apply([](auto* b) { products(b, {kAvx512, kAvx2}); });
BENCHMARK(openblas_product)->Apply([](auto* b) { products(b, {0}); });

}  // namespace

// A training step takes no memory: everything was taken when the batch was reserved.
#include <atomic>
#include <cstdlib>
#include <new>

#include "support.h"
#include "trainer/exact/optimizer.h"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

// Not inlined: the compiler would see malloc meet delete and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace harambee::trainer {
namespace {

TEST(Allocation, AStepTakesNoMemory) {
  for (const unsigned threads : {1u, 3u}) {
    const auto model = make_model(odd_config(), best_kernels().simd, threads);
    fill_weights(*model, "weights");
    const std::vector<Token> tokens = some_tokens(*model, 4, "tokens");
    std::vector<double> losses(4);
    ASSERT_TRUE(model->reserve_training(3).ok());
    AdamW optimizer = AdamW::make(model->layout()).value();
    InnerConfig inner;
    inner.beta1 = 0.9, inner.beta2 = 0.99, inner.eps = 1e-8;
    const std::size_t before = allocations;
    for (int step = 0; step < 3; ++step) {
      model->gradient(tokens, 4, losses);
      optimizer.step(*model, inner, 0.001);
      model->losses(tokens, 4, losses);
    }
    EXPECT_EQ(allocations - before, 0u) << threads << " threads";
  }
}

}  // namespace
}  // namespace harambee::trainer

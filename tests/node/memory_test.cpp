// The estimate against what the trainer was measured to take.
#include "node/memory.h"

#include <gtest/gtest.h>

namespace harambee::node {
namespace {

// Peak resident memory (VmHWM) of build/bin/harambee-trainer after one training step, on x86-64
// with AVX-512.
TEST(Memory, OfTheTrainerIsWhatWasMeasured) {
  struct Shape {
    std::uint32_t hidden, layers, heads, kv_heads, ffn, context;
    bool tied;
    std::uint32_t batch;
    unsigned threads;
    double measured_kib;
  };
  for (const Shape& shape : {Shape{128, 6, 4, 2, 384, 128, false, 16, 1, 56'604},
                             Shape{256, 8, 8, 4, 768, 256, true, 8, 2, 237'124},
                             Shape{384, 4, 6, 6, 1'536, 512, false, 4, 1, 333'212}}) {
    const format::ModelConfig model{.hidden = shape.hidden,
                                    .layers = shape.layers,
                                    .heads = shape.heads,
                                    .kv_heads = shape.kv_heads,
                                    .ffn = shape.ffn,
                                    .vocab = 256,
                                    .context = shape.context,
                                    .rope_theta = Decimal{10'000'000'000'000},
                                    .norm_eps = Decimal{10'000},
                                    .tied = shape.tied};
    const MemoryNeed need = trainer_memory_need(model, shape.batch, shape.threads);
    const double kib = static_cast<double>(need.total_bytes()) / 1'024;
    EXPECT_NEAR(kib / shape.measured_kib, 1, 0.15) << shape.hidden;
    // A larger batch is trained in more turns.
    EXPECT_EQ(trainer_memory_need(model, 64 * shape.batch, shape.threads).total_bytes(),
              need.total_bytes());
  }
  EXPECT_EQ(trainer_memory_need({}, 4, 1).total_bytes(), 0u);
}

TEST(Memory, TooLittleIsRefusedWithTheNumbers) {
  fold::Recipe recipe;
  recipe.model = {128, 6, 4, 2, 384, 256, 128, Decimal{10'000'000'000'000}, Decimal{10'000}, false};
  recipe.inner.batch = 4;
  const std::uint64_t needed = memory_need(recipe, 2).total_bytes();
  EXPECT_TRUE(check_memory(recipe, needed, 2).ok());
  EXPECT_TRUE(check_memory(recipe, 0, 2).ok());  // unknown
  const Status refused = check_memory(recipe, needed - 1, 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_NE(refused.error().message.find("the model needs about"), std::string::npos);
}

}  // namespace
}  // namespace harambee::node

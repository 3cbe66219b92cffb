#include "trainer/exact/optimizer.h"

#include "support.h"

namespace harambee::trainer {
namespace {

JsonObject inner_json() {
  return {{"batch", 4},      {"steps", 5},          {"warmup", 20},
          {"lr", "0.003"},   {"final", "0.1"},      {"beta1", "0.9"},
          {"beta2", "0.99"}, {"eps", "0.00000001"}, {"weight_decay", "0.1"},
          {"clip", "1"}};
}

TEST(InnerConfig, ReadsTheRecipesObject) {
  const InnerConfig c = inner_from_json(Json(inner_json())).value();
  EXPECT_EQ(c.batch, 4u);
  EXPECT_EQ(c.steps, 5u);
  EXPECT_EQ(c.warmup, 20u);
  EXPECT_EQ(c.lr, 0.003);
  EXPECT_EQ(c.final, 0.1);
  EXPECT_EQ(c.eps, 1e-8);
}

TEST(InnerConfig, RefusesWhatIsNoRecipe) {
  const std::pair<const char*, Json> wrong[] = {
      {"batch", 0},   {"batch", "4"},           {"batch", 1'000'000}, {"steps", -1},
      {"lr", 3},      {"lr", "3e-3"},           {"lr", "-1"},         {"final", "1.5"},
      {"beta1", "1"}, {"beta2", "1.1"},         {"eps", "0"},         {"clip", "-1"},
      {"warmup", -1}, {"weight_decay", nullptr}};
  for (const auto& [key, value] : wrong) {
    JsonObject json = inner_json();
    json[key] = value;
    EXPECT_FALSE(inner_from_json(Json(json)).ok()) << key;
  }
  JsonObject json = inner_json();
  json.erase("clip");
  EXPECT_FALSE(inner_from_json(Json(json)).ok());
  json = inner_json();
  json["momentum"] = "0.9";
  EXPECT_FALSE(inner_from_json(Json(json)).ok());
  EXPECT_FALSE(inner_from_json(Json("inner")).ok());
}

TEST(LearningRate, RampsUpThenFallsAsACosine) {
  InnerConfig c;
  c.lr = 1, c.final = 0.1, c.warmup = 10;
  EXPECT_EQ(learning_rate(c, 0, 110), 0.1);
  EXPECT_EQ(learning_rate(c, 9, 110), 1.0);
  EXPECT_EQ(learning_rate(c, 10, 110), 1.0);
  EXPECT_NEAR(learning_rate(c, 60, 110), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(c, 109, 110), 0.1, 1e-3);
  EXPECT_EQ(learning_rate(c, 110, 110), 0.1);
  EXPECT_EQ(learning_rate(c, 1'000'000, 110), 0.1);
  c.final = 1;
  EXPECT_EQ(learning_rate(c, 50, 110), 1.0);
  c.warmup = 0;
  EXPECT_EQ(learning_rate(c, 0, 0), 1.0);
}

// The textbook in double precision, beside three steps of the real thing.
TEST(AdamW, FollowsThePaper) {
  const auto model = make_model(odd_config(), best_kernels().simd, 2);
  fill_weights(*model, "weights");
  ASSERT_TRUE(model->reserve_training(1).ok());
  AdamW optimizer = AdamW::make(model->layout()).value();
  InnerConfig c;
  c.beta1 = 0.9, c.beta2 = 0.99, c.eps = 1e-8, c.weight_decay = 0.1, c.clip = 1;
  const double rate = 0.01;
  const std::size_t n = model->layout().parameters();
  std::vector<double> p(model->parameters().begin(), model->parameters().end()), m(n), v(n);
  std::vector<bool> decays(n);
  for (const format::TensorPlace& tensor : model->layout().tensors()) {
    for (std::size_t i = 0; i < tensor.size; ++i)
      decays[tensor.offset + i] = tensor.shape.size() > 1;
  }
  Numbers numbers("gradients");
  for (int t = 1; t <= 3; ++t) {
    double squares = 0;
    for (float& g : model->gradients()) {
      g = numbers.next();
      squares += double{g} * g;
    }
    const double norm = optimizer.step(*model, c, rate);
    EXPECT_NEAR(norm, std::sqrt(squares), 1e-5 * norm);
    for (std::size_t i = 0; i < n; ++i) {
      const double g = model->gradients()[i] / std::sqrt(squares);  // clipped to 1
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.99 * v[i] + 0.01 * g * g;
      if (decays[i]) p[i] -= rate * 0.1 * p[i];
      p[i] -= rate * (m[i] / (1 - std::pow(0.9, t))) /
              (std::sqrt(v[i] / (1 - std::pow(0.99, t))) + 1e-8);
      ASSERT_NEAR(model->parameters()[i], p[i], 2e-6);
    }
  }
  EXPECT_EQ(optimizer.steps(), 3u);
}

TEST(AdamW, LeavesEverythingAloneWhenTheGradientIsNotFinite) {
  const auto model = make_model(odd_config(), best_kernels().simd, 1);
  fill_weights(*model, "weights");
  ASSERT_TRUE(model->reserve_training(1).ok());
  AdamW optimizer = AdamW::make(model->layout()).value();
  const std::vector<float> before(model->parameters().begin(), model->parameters().end());
  model->gradients()[100] = INFINITY;
  EXPECT_FALSE(std::isfinite(optimizer.step(*model, InnerConfig{}, 0.1)));
  EXPECT_EQ(optimizer.steps(), 0u);
  EXPECT_EQ(std::memcmp(before.data(), model->parameters().data(), 4 * before.size()), 0);
}

}  // namespace
}  // namespace harambee::trainer

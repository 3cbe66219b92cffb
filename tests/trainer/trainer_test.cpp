#include "trainer/exact/trainer.h"

#include "support.h"

namespace harambee::trainer {
namespace {

format::ModelConfig small_config() {
  format::ModelConfig c = odd_config();
  c.hidden = 32, c.heads = 4, c.kv_heads = 2, c.ffn = 64, c.context = 32;
  return c;
}

std::unique_ptr<Trainer> make_trainer(Simd simd, unsigned threads) {
  ModelOptions options;
  options.kernels = kernels(simd);
  options.threads = threads;
  return Trainer::make(small_config(), options).value();
}

InnerConfig inner(std::uint32_t steps) {
  InnerConfig c;
  c.batch = 3, c.steps = steps, c.warmup = 4, c.lr = 0.01, c.final = 0.1;
  c.beta1 = 0.9, c.beta2 = 0.99, c.eps = 1e-8, c.weight_decay = 0.1, c.clip = 1;
  return c;
}

class Training : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text", small_text(5000));
    ASSERT_TRUE(
        make_trainer(best_kernels().simd, 1)->init(sha256(view("seed")), folder / "w0").ok());
  }
  TrainTask task(std::uint32_t steps, std::string_view out) {
    TrainTask t;
    t.base = folder / "w0";
    t.shards = {folder / "text"};
    t.seed = sha256(view("data"));
    t.total_steps = 100;
    t.inner = inner(steps);
    t.out = folder / out;
    t.state_out = folder / (std::string(out) + ".state");
    return t;
  }
  static constexpr auto kQuiet = [](const StepReport&) { return true; };
  Folder folder;
};

// Pinned: whoever changes the arithmetic on purpose changes the class "exact-1" too, because
// strangers' work is replayed by these bits.
TEST_F(Training, GivesTheseBitsOnEveryMachine) {
  EXPECT_EQ(sha256(view(folder.read("w0"))).hex(),
            "75f117e4d17a70fa43605de67fb0e097f83a2b83154986656094cd0a170e25ff");
  for (const Simd simd : levels()) {
    for (const unsigned threads : {1u, 2u, 3u}) {
      const auto result = make_trainer(simd, threads)->train(task(3, "w"), kQuiet).value();
      EXPECT_EQ(result.weights.hex(),
                "8615b0d54d8871fc7c04887ddeadbccd23c1151fad0ed9e04f1f5a5399580ac1")
          << name(simd) << ", " << threads << " threads";
      EXPECT_EQ(result.state.hex(),
                "67227004468c34254741aff266efb389450c42300f296676b498eabcf6f883e7");
      EXPECT_EQ(result.loss_first, 5582092409);
      EXPECT_EQ(result.loss_last, 5230527716);
    }
  }
}

TEST_F(Training, ReportsEveryStepAndNamesItsFiles) {
  const auto trainer = make_trainer(best_kernels().simd, 2);
  std::vector<StepReport> reports;
  const auto result = trainer->train(task(4, "w"), [&](const StepReport& report) {
    reports.push_back(report);
    return true;
  });
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(reports.size(), 4u);
  EXPECT_EQ(reports[3].step, 4u);
  EXPECT_EQ(reports[3].tokens, 4u * 3 * 32);
  EXPECT_EQ(result->tokens, 4u * 3 * 32);
  EXPECT_EQ(result->steps, 4u);
  EXPECT_EQ(result->loss_first, nano_nats(reports[0].loss));
  EXPECT_EQ(result->loss_last, nano_nats(reports[3].loss));
  EXPECT_EQ(result->weights, sha256(view(folder.read("w"))));
  EXPECT_EQ(result->state, sha256(view(folder.read("w.state"))));
}

TEST_F(Training, ResumesAsIfItHadNotStopped) {
  const auto trainer = make_trainer(best_kernels().simd, 2);
  // The learning rate follows the global step; data follow the step within the task, so the two
  // halves are given the same rows as each other, and a straight run of the same rows is built
  // from two tasks as well: one trainer kept alive, one fresh process' worth of state.
  ASSERT_TRUE(trainer->train(task(3, "half"), kQuiet).ok());
  TrainTask second = task(3, "kept");
  second.base = folder / "half";
  second.state = folder / "half.state";
  second.first_step = 3;
  const TrainResult kept = trainer->train(second, kQuiet).value();
  second.out = folder / "fresh";
  const TrainResult fresh = make_trainer(Simd::scalar, 1)->train(second, kQuiet).value();
  EXPECT_EQ(kept.weights, fresh.weights);
  EXPECT_EQ(kept.state, fresh.state);
  // Without the state the moments start afresh, and the result differs.
  second.state.reset();
  EXPECT_NE(trainer->train(second, kQuiet).value().weights, kept.weights);
}

TEST_F(Training, StraightRunEqualsOneStepAtATime) {
  // With one row of text there is only one place to read from, so the data do not depend on the
  // step and six steps in one task equal six tasks of one step.
  folder.write("text", small_text(33));
  const auto trainer = make_trainer(best_kernels().simd, 1);
  const TrainResult straight = trainer->train(task(6, "straight"), kQuiet).value();
  TrainTask one = task(1, "one");
  for (int step = 0; step < 6; ++step) {
    one.first_step = static_cast<std::uint64_t>(step);
    ASSERT_TRUE(trainer->train(one, kQuiet).ok());
    one.base = one.out;
    one.state = one.state_out;
  }
  EXPECT_EQ(sha256(view(folder.read("one"))), straight.weights);
  EXPECT_EQ(sha256(view(folder.read("one.state"))), straight.state);
}

TEST_F(Training, Learns) {
  const auto trainer = make_trainer(best_kernels().simd, 2);
  TrainTask t = task(120, "w");
  t.total_steps = 120;
  const TrainResult result = trainer->train(t, kQuiet).value();
  EXPECT_GT(result.loss_first, 5'000'000'000);  // ln 256 = 5.5 before it has learned anything
  EXPECT_LT(result.loss_last, 2'000'000'000);
  const std::uint64_t offsets[] = {0, 17, 400, 4967};
  const auto before = trainer->evaluate(folder / "w0", {folder / "text"}, offsets).value();
  const auto after = trainer->evaluate(folder / "w", {folder / "text"}, offsets).value();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_LT(after[i], before[i] / 2);
}

TEST_F(Training, StopsWhenNobodyListens) {
  const auto trainer = make_trainer(best_kernels().simd, 1);
  const auto result =
      trainer->train(task(50, "w"), [](const StepReport& report) { return report.step < 3; });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  EXPECT_FALSE(std::filesystem::exists(folder / "w"));
}

TEST_F(Training, RefusesBadInputAndWorksOn) {
  const auto trainer = make_trainer(best_kernels().simd, 1);
  TrainTask bad = task(1, "w");
  bad.base = folder / "absent";
  EXPECT_EQ(trainer->train(bad, kQuiet).error().code, ErrorCode::not_found);
  bad = task(1, "w");
  bad.shards = {folder.write("short", "too short")};
  EXPECT_FALSE(trainer->train(bad, kQuiet).ok());
  bad = task(1, "w");
  bad.state = folder / "w0";
  EXPECT_FALSE(trainer->train(bad, kQuiet).ok());
  bad = task(1, "w");
  bad.base = folder / "text";
  EXPECT_FALSE(trainer->train(bad, kQuiet).ok());
  bad = task(1, "no/such/folder/w");
  EXPECT_FALSE(trainer->train(bad, kQuiet).ok());
  bad = task(5, "w");
  bad.inner.lr = 1e30;
  bad.inner.weight_decay = 1000;
  const auto diverged = trainer->train(bad, kQuiet);
  ASSERT_FALSE(diverged.ok());
  EXPECT_NE(diverged.error().message.find("diverged"), std::string::npos);
  EXPECT_TRUE(trainer->train(task(1, "w"), kQuiet).ok());
}

TEST_F(Training, EvaluatesRowsAloneAsTogether) {
  const auto trainer = make_trainer(best_kernels().simd, 3);
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < 40; ++i) offsets.push_back(i * 97 % 4968);
  const std::vector<std::string> files = {folder / "text"};
  const auto together = trainer->evaluate(folder / "w0", files, offsets).value();
  for (std::size_t i : {0u, 7u, 39u}) {
    const auto alone =
        trainer->evaluate(folder / "w0", files, std::span(offsets).subspan(i, 1)).value();
    EXPECT_EQ(alone[0], together[i]);
  }
  const std::uint64_t beyond[] = {4968};
  EXPECT_FALSE(trainer->evaluate(folder / "w0", files, beyond).ok());
  EXPECT_TRUE(trainer->evaluate(folder / "w0", files, {}).value().empty());
}

TEST_F(Training, GeneratesTheSameTextFromTheSameSeed) {
  const auto trainer = make_trainer(best_kernels().simd, 1);
  const Digest one = sha256(view("one")), two = sha256(view("two"));
  const auto text = [&](Trainer& t, const Digest& seed, double temperature) {
    return t.generate(folder / "w0", view("the hub"), 50, temperature, seed).value();
  };
  const Bytes want = text(*trainer, one, 0.8);
  EXPECT_EQ(want.size(), 50u);  // longer than the context: the window slides
  EXPECT_EQ(text(*make_trainer(Simd::scalar, 2), one, 0.8), want);
  EXPECT_NE(text(*trainer, two, 0.8), want);
  EXPECT_EQ(text(*trainer, one, 0), text(*trainer, two, 0));
  EXPECT_EQ(trainer->generate(folder / "w0", {}, 3, 1, one).value().size(), 3u);
  EXPECT_TRUE(trainer->generate(folder / "w0", view("x"), 0, 1, one).value().empty());
}

TEST(Init, GivesNormalNumbersOfTheRightSize) {
  const auto layout = format::ModelLayout::make(small_config()).value();
  std::vector<float> p(layout.parameters()), again(p.size());
  init_weights(layout, sha256(view("seed")), p);
  init_weights(layout, sha256(view("seed")), again);
  EXPECT_EQ(p, again);
  init_weights(layout, sha256(view("another")), again);
  EXPECT_NE(p, again);
  for (const format::TensorPlace& tensor : layout.tensors()) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < tensor.size; ++i) {
      const double x = p[tensor.offset + i];
      sum += x, squares += x * x;
    }
    const auto n = static_cast<double>(tensor.size);
    if (tensor.shape.size() == 1) {
      EXPECT_EQ(sum, n);
      continue;
    }
    const bool residual = tensor.name.find("o_proj") != std::string::npos ||
                          tensor.name.find("down_proj") != std::string::npos;
    const double want = residual ? 0.01 : 0.02;  // two layers: 0.02 / sqrt(4)
    EXPECT_NEAR(std::sqrt(squares / n), want, 4 * want / std::sqrt(2 * n)) << tensor.name;
    EXPECT_NEAR(sum / n, 0, 4 * want / std::sqrt(n)) << tensor.name;
  }
}

TEST(Trainer, TakesByteModelsOnly) {
  format::ModelConfig config = small_config();
  config.vocab = 512;
  EXPECT_FALSE(Trainer::make(config, {}).ok());
  EXPECT_EQ(nano_nats(1.2345678906), 1234567891);
  EXPECT_EQ(nano_nats(-0.0000000006), -1);
}

}  // namespace
}  // namespace harambee::trainer

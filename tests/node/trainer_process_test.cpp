// A trainer program may crash, hang or talk nonsense: the node says so and lives on.
#include "node/trainer_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "node/world.h"
#include "store/file.h"

namespace harambee::node::testing {
namespace {

class TrainerProcessTest : public ::testing::Test {
 protected:
  TrainerProcess make(const std::string& mode, std::int64_t stall_ms = 20'000) {
    TrainerOptions options;
    options.argv = fake_trainer(mode);
    options.dir = folder_.path();
    options.stall_ms = stall_ms;
    options.line_bytes_max = 1 << 20;
    return TrainerProcess(std::move(options), recipe_.model);
  }
  TrainRequest request() {
    const auto layout = format::ModelLayout::make(recipe_.model);
    const std::vector<float> weights(layout->parameters(), 0.01F);
    EXPECT_TRUE(
        store::write_file_atomic(path("base"), format::weights_file(*layout, weights)).ok());
    TrainRequest request;
    request.base = path("base");
    request.shards = {path("base")};
    request.inner = recipe_.inner;
    request.total_steps = 10;
    request.out = path("out");
    request.state_out = path("state");
    return request;
  }
  std::string path(const std::string& name) { return folder_.path() + "/" + name; }

  TemporaryFolder folder_;
  fold::Recipe recipe_ = tiny_recipe();
};

TEST_F(TrainerProcessTest, TrainsAndReportsEveryStep) {
  TrainerProcess trainer = make("good");
  std::vector<std::int64_t> steps;
  const auto done = trainer.train(request(), [&steps](const TrainProgress& progress) {
    steps.push_back(progress.step);
    return true;
  });
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_THAT(steps, ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(done->steps, 3);
  EXPECT_LT(done->loss_last_nanos, done->loss_first_nanos);
  EXPECT_EQ(done->state_digest, sha256(*store::read_file(path("state"), 1000)));
  EXPECT_TRUE(trainer.bye().ok());
  EXPECT_FALSE(trainer.running());
}

TEST_F(TrainerProcessTest, CrashIsAnErrorWithTheEndOfItsLog) {
  TrainerProcess trainer = make("crash");
  const auto done = trainer.train(request(), {});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::unavailable);
  EXPECT_THAT(done.error().message, ::testing::HasSubstr("going to crash"));
  EXPECT_THAT(done.error().message, ::testing::HasSubstr("signal"));
}

TEST_F(TrainerProcessTest, StartsAgainAfterACrash) {
  TrainerProcess trainer = make("crash");
  ASSERT_FALSE(trainer.train(request(), {}).ok());
  const auto losses = trainer.evaluate(path("base"), {path("base")}, {0, 1});
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  EXPECT_EQ(losses->size(), 2u);
}

TEST_F(TrainerProcessTest, SilenceIsEnded) {
  TrainerProcess trainer = make("hang", 1'500);
  ASSERT_TRUE(trainer.hello().ok());
  const int pid = trainer.pid();
  const auto done = trainer.train(request(), {});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::unavailable);
  EXPECT_FALSE(trainer.running());
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(TrainerProcessTest, StoppingInTheMiddleEndsTheProgram) {
  TrainerProcess trainer = make("slow");
  const auto done = trainer.train(request(), [](const TrainProgress&) { return false; });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::cancelled);
  EXPECT_FALSE(trainer.running());
}

TEST_F(TrainerProcessTest, AProgramThatIsNotThere) {
  TrainerOptions options;
  options.argv = {"/nowhere/trainer"};
  options.dir = folder_.path();
  TrainerProcess trainer(std::move(options), recipe_.model);
  const auto hello = trainer.hello();
  ASSERT_FALSE(hello.ok());
  EXPECT_EQ(hello.error().code, ErrorCode::unavailable);
  EXPECT_THAT(hello.error().message, ::testing::HasSubstr("/nowhere/trainer"));
}

TEST_F(TrainerProcessTest, EndingAtOnceTellsTheExitCode) {
  const auto hello = make("exit").hello();
  ASSERT_FALSE(hello.ok());
  EXPECT_THAT(hello.error().message, ::testing::HasSubstr("exit code 3"));
}

class BadTrainer : public TrainerProcessTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BadTrainer, IsRefused) {
  TrainerProcess trainer = make(GetParam());
  const auto done = trainer.train(request(), {});
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().code, ::testing::AnyOf(ErrorCode::invalid, ErrorCode::limit));
  EXPECT_FALSE(trainer.running());
}
INSTANTIATE_TEST_SUITE_P(Modes, BadTrainer,
                         ::testing::Values("garbage", "longline", "wrongid", "nan", "shape",
                                           "nofile", "badstate", "future", "tokens"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(TrainerProcessTest, OneLossForEachRow) {
  TrainerProcess trainer = make("fewlosses");
  static_cast<void>(request());
  const auto losses = trainer.evaluate(path("base"), {path("base")}, {0, 1});
  ASSERT_FALSE(losses.ok());
  EXPECT_EQ(losses.error().code, ErrorCode::invalid);
}

TEST_F(TrainerProcessTest, ItsErrorsAreRefusalsAndItLivesOn) {
  TrainerProcess trainer = make("good");
  const Status made = trainer.init(sha256(view("x")), path("init"));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::refused);
  EXPECT_TRUE(trainer.running());
}

TEST_F(TrainerProcessTest, WeightsInAnotherOrderBecomeCanonical) {
  const auto layout = format::ModelLayout::make(recipe_.model);
  std::vector<float> weights(layout->parameters());
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i);
  // The same tensors, last one first.
  std::string header = "{";
  Bytes data;
  for (auto place = layout->tensors().rbegin(); place != layout->tensors().rend(); ++place) {
    std::string shape;
    for (const auto n : place->shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    const std::size_t begin = data.size();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(weights.data() + place->offset);
    data.insert(data.end(), bytes, bytes + 4 * place->size);
    header += (header.size() > 1 ? ",\"" : "\"") + place->name + R"(":{"dtype":"F32","shape":[)" +
              shape + "],\"data_offsets\":[" + std::to_string(begin) + "," +
              std::to_string(data.size()) + "]}";
  }
  header += "}";
  Bytes file;
  put_u64le(file, header.size());
  file.insert(file.end(), header.begin(), header.end());
  file.insert(file.end(), data.begin(), data.end());
  ASSERT_TRUE(store::write_file_atomic(path("other"), file).ok());
  const auto digest = canonicalize_weights(path("other"), recipe_.model);
  ASSERT_TRUE(digest.ok()) << digest.error().message;
  EXPECT_EQ(*digest, format::weights_digest(*layout, weights));
  EXPECT_EQ(*store::read_file(path("other"), 1 << 20), format::weights_file(*layout, weights));
}

}  // namespace
}  // namespace harambee::node::testing

#include "cli/demo_state.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/bytes.h"

namespace harambee::cli {
namespace {
namespace fs = std::filesystem;

class DemoDir : public testing::Test {
 protected:
  DemoDir()
      : paths_{fs::path(testing::TempDir()) /
               (std::string("demo-state-") +
                testing::UnitTest::GetInstance()->current_test_info()->name())} {
    fs::remove_all(paths_.dir);
  }
  ~DemoDir() override { fs::remove_all(paths_.dir); }
  DemoPaths paths_;
};

DemoState some_state() {
  DemoState state;
  state.request.rounds = 20;
  state.request.seed = sha256(view("x"));
  state.speed = {.cores = 2, .tokens_per_second = 1234.5};
  state.text = {"/tmp/a \"quoted\" name"};
  state.port = 4711;
  state.baselines["single"] = {
      .steps_done = 10, .segments_done = 2, .losses_nanos = {3'000'000'000, 2'000'000'000}};
  state.losses_nanos["start"] = 2'500'000'000;
  state.kill_done = true;
  return state;
}

TEST_F(DemoDir, StateComesBackAsItWas) {
  const DemoState state = some_state();
  ASSERT_TRUE(save_state(paths_, state).ok());
  auto again = load_state(paths_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(to_json(*again), to_json(state));
}

TEST_F(DemoDir, DamagedOrForeignStateIsRefused) {
  EXPECT_FALSE(state_from_json("{").ok());
  EXPECT_FALSE(state_from_json("{}").ok());
  EXPECT_FALSE(state_from_json(R"({"format":"harambee-demo 2"})").ok());
}

TEST_F(DemoDir, KnowsWhoseDirectoryItIs) {
  EXPECT_EQ(kind_of(paths_.dir), DirKind::empty);
  fs::create_directories(paths_.dir);
  EXPECT_EQ(kind_of(paths_.dir), DirKind::empty);
  fs::create_directories(paths_.probe());  // a start that was killed at once
  EXPECT_EQ(kind_of(paths_.dir), DirKind::empty);
  std::ofstream(paths_.dir / "thesis.tex") << "years of work";
  EXPECT_EQ(kind_of(paths_.dir), DirKind::foreign);
  ASSERT_TRUE(save_state(paths_, some_state()).ok());
  EXPECT_EQ(kind_of(paths_.dir), DirKind::demo);
}

TEST_F(DemoDir, DeletesOnlyWhatIsItsOwn) {
  ASSERT_TRUE(save_state(paths_, some_state()).ok());
  fs::create_directories(paths_.hub() / "blobs");
  fs::create_directories(paths_.role("volunteer-3"));
  std::ofstream(paths_.dir / "thesis.tex") << "years of work";
  ASSERT_TRUE(delete_demo(paths_).ok());
  EXPECT_FALSE(fs::exists(paths_.state()));
  EXPECT_FALSE(fs::exists(paths_.hub()));
  EXPECT_FALSE(fs::exists(paths_.role("volunteer-3")));
  EXPECT_TRUE(fs::exists(paths_.dir / "thesis.tex"));
}

}  // namespace
}  // namespace harambee::cli

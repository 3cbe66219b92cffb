#include "cli/demo_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

namespace harambee::cli {
namespace {

using testing::ElementsAre;
namespace fs = std::filesystem;

TEST(LineReader, JoinsPieces) {
  LineReader reader;
  EXPECT_THAT(reader.feed("one\ntw"), ElementsAre("one"));
  EXPECT_THAT(reader.feed("o\n\nthree\n"), ElementsAre("two", "", "three"));
}

TEST(LineReader, CutsALineThatNeverEnds) {
  LineReader reader;
  const std::string much(LineReader::kLineBytesMax, 'x');
  EXPECT_TRUE(reader.feed(much).empty());
  EXPECT_TRUE(reader.feed(much).empty());
  const auto lines = reader.feed("y\nnext\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), LineReader::kLineBytesMax);
  EXPECT_EQ(lines[1], "next");
}

TEST(Backoff, GrowsForgetsAndGivesUp) {
  Backoff backoff;
  EXPECT_EQ(backoff.next_ms(10), 250);
  EXPECT_EQ(backoff.next_ms(10), 500);
  EXPECT_EQ(backoff.next_ms(25'000), 250);
  std::int64_t longest = 0;
  int restarts = 1;
  while (const auto pause = backoff.next_ms(10)) {
    longest = std::max(longest, *pause);
    ++restarts;
  }
  EXPECT_EQ(restarts, Backoff::kRestartsMax);
  EXPECT_LE(longest, 8'000);
}

class ChildrenTest : public testing::Test {
 protected:
  ChildrenTest()
      : dir_(fs::path(testing::TempDir()) /
             (std::string("children-") +
              testing::UnitTest::GetInstance()->current_test_info()->name())),
        children_({[this](const std::string& name, const std::string& line) {
                     lines_.push_back(name + ": " + line);
                   },
                   [this](const std::string& name, const ChildEnd& end, auto restart) {
                     ends_.push_back(name + ": " + end.describe() + (restart ? ", again" : ""));
                   }}) {
    fs::create_directories(dir_);
  }
  ~ChildrenTest() override { fs::remove_all(dir_); }

  ChildSpec shell(const std::string& name, const std::string& script) {
    return {.name = name, .argv = {"/bin/sh", "-c", script}, .log = dir_ / (name + ".log")};
  }
  // A condition with a deadline, no fixed sleep.
  template <typename Condition>
  bool until(Condition condition) {
    const std::int64_t deadline = steady_now_ms() + 20'000;
    while (!condition() && steady_now_ms() < deadline) children_.pump(20);
    return condition();
  }

  fs::path dir_;
  std::vector<std::string> lines_;
  std::vector<std::string> ends_;
  Children children_;
};

TEST_F(ChildrenTest, DeliversAllLinesBeforeTheEnd) {
  ASSERT_TRUE(children_.start(shell("a", "echo one; echo two >&2; echo three; exit 4")).ok());
  ASSERT_TRUE(until([&] { return !ends_.empty(); }));
  EXPECT_THAT(lines_, ElementsAre("a: one", "a: three"));
  EXPECT_THAT(ends_, ElementsAre("a: exit code 4"));
  EXPECT_EQ(log_tail(dir_ / "a.log", 3), "two");
}

TEST_F(ChildrenTest, StartsAgainWhatDied) {
  ChildSpec spec = shell("a", "echo $$; exec sleep 100");
  spec.when_it_dies = WhenItDies::restart;
  ASSERT_TRUE(children_.start(spec).ok());
  ASSERT_TRUE(until([&] { return lines_.size() == 1; }));
  children_.kill("a");
  ASSERT_TRUE(until([&] { return lines_.size() == 2; }));
  EXPECT_NE(lines_[0], lines_[1]);
  EXPECT_TRUE(children_.alive("a"));
  ASSERT_EQ(ends_.size(), 1u);
  EXPECT_EQ(ends_[0], "a: signal 9 (Killed), again");
}

TEST_F(ChildrenTest, DoesNotStartAgainAfterAFinalCode) {
  ChildSpec spec = shell("a", "exit 9");
  spec.when_it_dies = WhenItDies::restart;
  spec.final_codes = {0, 9};
  ASSERT_TRUE(children_.start(spec).ok());
  ASSERT_TRUE(until([&] { return !ends_.empty(); }));
  EXPECT_THAT(ends_, ElementsAre("a: exit code 9"));
}

TEST_F(ChildrenTest, StopsAllAndTheHubLast) {
  const std::string polite = "trap 'echo bye; exit 0' INT; echo up; while :; do sleep 0.05; done";
  for (const char* name : {"hub", "a", "b"}) {
    ChildSpec spec = shell(name, polite);
    spec.when_it_dies = WhenItDies::restart;
    ASSERT_TRUE(children_.start(spec).ok());
  }
  ASSERT_TRUE(until([&] { return lines_.size() == 3; }));
  children_.stop_all(10'000, {"hub"});
  ASSERT_EQ(ends_.size(), 3u);
  EXPECT_EQ(ends_.back(), "hub: exit code 0");
  EXPECT_FALSE(children_.any_alive());
}

TEST_F(ChildrenTest, KillsWhoDoesNotListen) {
  ASSERT_TRUE(
      children_.start(shell("deaf", "trap '' INT; echo up; while :; do sleep 0.05; done")).ok());
  ASSERT_TRUE(until([&] { return !lines_.empty(); }));
  children_.stop_all(200, {});
  EXPECT_FALSE(children_.any_alive());
}

TEST_F(ChildrenTest, SaysWhatCannotBeStarted) {
  const Status status =
      children_.start({.name = "x", .argv = {"/nonexistent/program"}, .log = dir_ / "x.log"});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("/nonexistent/program"), std::string::npos);
}

}  // namespace
}  // namespace harambee::cli

// Runs that have no held-out text: what is well-formed is accepted, and nobody says a loss.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fold/explain.h"
#include "fold/status.h"
#include "fold/void_fold.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;
using testing::textless_recipe;

std::string refusal(const Recipe& recipe) {
  const Result<Recipe> read = recipe_from_json(to_json(recipe));
  return read ? "" : read.error().message;
}

TEST(Textless, ARecipeMustNotAskForWhatItHasNoTextFor) {
  EXPECT_EQ(refusal(textless_recipe()), "");
  Recipe recipe = textless_recipe();
  recipe.judge.guard = {1};
  EXPECT_THAT(refusal(recipe), HasSubstr("judge.guard: must be 0 in a run whose gate.rows is 0"));
  recipe = textless_recipe();
  recipe.judge.own_rounds = 8;
  EXPECT_THAT(refusal(recipe), HasSubstr("judge.own_rounds: must be 0"));
  recipe = textless_recipe();
  recipe.judge.void_rise = {1};
  EXPECT_THAT(refusal(recipe), HasSubstr("judge.void_rise: must be 0 where gate.report is 0"));
  recipe.gate.report = 4;  // a loss may be reported though nothing is tried
  EXPECT_EQ(refusal(recipe), "");
  recipe = small_recipe();
  recipe.gate.report = 0;
  EXPECT_THAT(refusal(recipe), HasSubstr("gate.report: must not be 0"));
}

class TextlessRun : public ::testing::Test {
 protected:
  void SetUp() override {
    swarm.join({"t1", "t2", "t3"});
    swarm.start();
  }
  // All validators say of t1's contribution that it is malformed.
  void play_round_with_a_bad_one() {
    swarm.contribute({"t1", "t2", "t3"});
    swarm.tick_after(1);
    Score score = swarm.score();
    score.entries[0].verdict = "malformed: chunk 3 is not sorted";
    for (const char* validator : {"v1", "v2", "v3"}) {
      ASSERT_EQ(swarm.give_score(validator, score).reason, "");
    }
    ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  }
  Swarm swarm{{"v1", "v2", "v3"}, textless_recipe()};
};

TEST_F(TextlessRun, AcceptsWhatIsWellFormed) {
  play_round_with_a_bad_one();
  const ClosedRound& closed = swarm.run().history.at(0);
  EXPECT_FALSE(closed.contributions[0].accepted);
  EXPECT_EQ(closed.contributions[0].reason, "malformed: chunk 3 is not sorted");
  EXPECT_EQ(closed.contributions[0].counted_nanos, kUnmeasuredGainNanos);
  for (const std::size_t i : {1, 2}) {
    EXPECT_TRUE(closed.contributions[i].accepted) << closed.contributions[i].reason;
    EXPECT_FALSE(closed.contributions[i].gain_nanos.has_value());
    EXPECT_EQ(closed.contributions[i].counted_nanos, 0);
    EXPECT_GT(closed.contributions[i].credit.micros(), 0);
  }
  EXPECT_FALSE(closed.loss_nanos.has_value());
  EXPECT_EQ(closed.possible, std::uint64_t{2} << 30);  // two could have voted, and did
  EXPECT_EQ(state_hash(swarm.state), state_hash(swarm.state));
}

TEST_F(TextlessRun, SharesVotesAmongThoseThatAreAlike) {
  swarm.contribute({"t1", "t2", "t3"});
  swarm.tick_after(1);
  Score score = swarm.score();
  score.entries[2].group = 1;
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, score);
  const Judgement judgement = derive(swarm.run());
  ASSERT_EQ(judgement.accepted.size(), 3u);
  EXPECT_EQ(judgement.verdicts[2].group, 1u);
  EXPECT_EQ(judgement.possible, std::uint64_t{2} << 30);
}

TEST_F(TextlessRun, TakesNoScoreThatSpeaksOfALossOrAGain) {
  swarm.contribute({"t1", "t2", "t3"});
  swarm.tick_after(1);
  Score loss = swarm.score();
  loss.loss_nanos = 1;
  EXPECT_EQ(swarm.give_score("v1", loss).reason, "loss: this run reports none");
  Score gain = swarm.score();
  gain.entries[1].gain_nanos = 1;
  EXPECT_EQ(swarm.give_score("v1", gain).reason, "gain: nothing is tried in this run");
  EXPECT_EQ(swarm.give_score("v1", swarm.score()).reason, "");
}

TEST_F(TextlessRun, ExcludesWhoSendsNothingUsable) {
  Recipe recipe = textless_recipe();
  recipe.rounds = 10;
  swarm = Swarm({"v1", "v2", "v3"}, recipe);
  SetUp();
  for (int round = 0; round < 6; ++round) play_round_with_a_bad_one();
  ASSERT_TRUE(swarm.member("t1").excluded.has_value());
  EXPECT_THAT(*swarm.member("t1").excluded, HasSubstr("rejected in 6 rounds in a row"));
  EXPECT_FALSE(swarm.member("t2").excluded.has_value());
}

TEST_F(TextlessRun, IsExplainedWithoutALoss) {
  play_round_with_a_bad_one();
  const std::string round = to_text(*explain_round(swarm.run(), 0));
  EXPECT_THAT(round, HasSubstr("2 of 3 contributions accepted"));
  EXPECT_THAT(round, ::testing::Not(HasSubstr("loss")));
  EXPECT_THAT(to_text(*explain_peer(swarm.run(), swarm.id("t2"))),
              HasSubstr("the close of round 0 accepted its contribution; earned"));
  const Json status = status_json(swarm.state, swarm.run());
  EXPECT_EQ(*status.find("loss_nanos"), Json(nullptr));
  swarm.contribute({"t1", "t2", "t3"});
  swarm.tick_after(1);
  swarm.give_score("v1", swarm.score());
  const Json open = open_round_json(swarm.run());
  EXPECT_EQ(*open.find("scores")->array()->at(0).find("loss_nanos"), Json(nullptr));
}

// Text that decides nothing may still tell whether a run goes wrong.
TEST(Textless, ALossMayBeReportedAndTakeTheRunBack) {
  Recipe recipe = textless_recipe();
  recipe.gate.report = 4;
  recipe.judge.void_rise = {500'000'000};
  Swarm swarm({"v1"}, recipe);
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.play_round({"t1", "t2"});
  EXPECT_EQ(swarm.run().history.at(0).loss_nanos, 2'450'000'000);
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  Score silent = swarm.score();
  silent.loss_nanos.reset();
  EXPECT_EQ(swarm.give_score("v1", silent).reason, "loss: missing");
  Score score = swarm.score();
  score.loss_nanos = 3'000'000'000;
  EXPECT_EQ(swarm.give_score("v1", score).reason, "");
  EXPECT_TRUE(void_due(swarm.run()).has_value());
}

TEST(Textless, OtherRunsNeedALoss) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  Score silent = swarm.score();
  silent.loss_nanos.reset();
  EXPECT_EQ(swarm.give_score("v1", silent).reason, "loss: missing");
}

}  // namespace
}  // namespace harambee::fold

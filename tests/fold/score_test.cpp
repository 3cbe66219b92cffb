// Scores, verdicts, closes and what they pay (spec/run.md): one test for each rule.
#include <gtest/gtest.h>

#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::blob;
using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

void expect_inert(const Outcome& outcome, const std::string& reason) {
  EXPECT_EQ(outcome.effect, Effect::inert);
  EXPECT_THAT(outcome.reason, HasSubstr(reason));
}

// ---- scores

class Scores : public ::testing::Test {
 protected:
  Scores() {
    swarm.join({"t1", "t2", "t3"});
    swarm.start();
    swarm.contribute({"t1", "t2", "t3"});
    swarm.tick_after(1);
  }
  void refused(const std::string& who, const Score& act, const std::string& reason) {
    const std::size_t before = swarm.run().round.scores.size();
    expect_inert(swarm.give_score(who, act), reason);
    EXPECT_EQ(swarm.run().round.scores.size(), before);
  }
  Swarm swarm;
};

TEST_F(Scores, AreTheListedValidatorsOnly) { refused("t1", swarm.score(), "not a validator"); }

TEST_F(Scores, AreOnePerValidator) {
  swarm.give_score("v1", swarm.score());
  refused("v1", swarm.score(), "already");
}

TEST_F(Scores, AreOfTheRoundsSeedBaseAndNumber) {
  Score seed = swarm.score();
  seed.seed = digest_of("rows I like better");
  refused("v1", seed, "seed");
  Score base = swarm.score();
  base.base = digest_of("other weights");
  refused("v1", base, "base");
  Score round = swarm.score();
  round.round = 1;
  refused("v1", round, "round 1 is not open");
}

TEST_F(Scores, HaveAnEntryForEveryContribution) {
  Score missing = swarm.score();
  missing.entries.pop_back();
  refused("v1", missing, "entries: must be one for each");
  Score more = swarm.score();
  more.entries.push_back(more.entries.back());
  refused("v1", more, "entries: must be one for each");
}

TEST_F(Scores, DoNotComeInTheCommitPhaseNorAfterTheEnd) {
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, swarm.score());
  Swarm fresh;
  fresh.join({"t1", "t2"});
  fresh.start();
  expect_inert(fresh.give_score("v1", fresh.score()), "commit phase has not ended");
  fresh.contribute({"t1", "t2"});
  fresh.tick_after(1);
  fresh.give_score("v1", fresh.score());
  fresh.give_score("v3", fresh.score());
  fresh.tick_after(20'000);
  ASSERT_EQ(fresh.run().phase, Phase::closing);
  expect_inert(fresh.give_score("v2", fresh.score()), "late");
}

TEST_F(Scores, EndAtTheDeadlineWithMoreThanHalf) {
  swarm.tick_after(19'999);
  swarm.give_score("v1", swarm.score());
  swarm.give_score("v3", swarm.score());
  EXPECT_EQ(swarm.run().phase, Phase::score);
  swarm.tick_after(1);  // phase start + reveal_ms + score_ms
  EXPECT_EQ(swarm.run().phase, Phase::closing);
}

// One that is early, and perhaps lies, does not decide for three.
TEST_F(Scores, WithFewerTheRoundWaits) {
  swarm.tick_after(1'000'000);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  swarm.give_score("v2", swarm.score());
  swarm.tick_after(1'000'000);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  swarm.give_score("v1", swarm.score());
  EXPECT_EQ(swarm.run().phase, Phase::score);
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::closing);
}

// ---- verdicts

Score with(Score score, std::size_t position, std::string verdict, std::int64_t gain = 0) {
  score.entries[position].verdict = std::move(verdict);
  score.entries[position].gain_nanos = gain;
  return score;
}

TEST_F(Scores, TheMedianGainDecides) {
  swarm.give_score("v1", swarm.score({{"t1", -9}, {"t2", 9}, {"t3", 0}}));
  swarm.give_score("v2", swarm.score({{"t1", 5}, {"t2", -5}, {"t3", 0}}));
  swarm.give_score("v3", swarm.score({{"t1", 6}, {"t2", -6}, {"t3", 7}}));
  const Judgement judgement = derive(swarm.run());
  EXPECT_TRUE(judgement.verdicts[0].accepted);
  EXPECT_EQ(judgement.verdicts[0].gain_nanos, 5);
  EXPECT_FALSE(judgement.verdicts[1].accepted);
  EXPECT_EQ(judgement.verdicts[1].gain_nanos, -5);
  EXPECT_FALSE(judgement.verdicts[2].accepted);  // 0 is not above 0
  EXPECT_EQ(judgement.verdicts[2].reason, "gain 0");
  EXPECT_TRUE(judgement.mostly_rejected);
}

TEST_F(Scores, OfAnEvenNumberTheLowerMedianDecides) {
  swarm.give_score("v1", swarm.score({{"t1", 5}}));
  swarm.give_score("v2", swarm.score({{"t1", -5}}));
  swarm.tick_after(20'000);
  EXPECT_EQ(derive(swarm.run()).verdicts[0].gain_nanos, -5);
}

TEST_F(Scores, AMajorityMustHaveEvaluatedIt) {
  swarm.give_score("v1", with(swarm.score(), 0, "withheld"));
  swarm.give_score("v2", with(swarm.score(), 0, "withheld"));
  swarm.give_score("v3", swarm.score());
  const Judgement judgement = derive(swarm.run());
  EXPECT_FALSE(judgement.verdicts[0].accepted);
  EXPECT_EQ(judgement.verdicts[0].reason, "withheld");
  EXPECT_FALSE(judgement.verdicts[0].gain_nanos.has_value());
  EXPECT_TRUE(judgement.verdicts[1].accepted);
}

TEST_F(Scores, HalfIsNoMajority) {
  swarm.give_score("v1", with(swarm.score(), 0, "malformed: index 3"));
  swarm.give_score("v2", swarm.score());
  swarm.tick_after(20'000);
  EXPECT_EQ(derive(swarm.run()).verdicts[0].reason, "malformed: index 3");
}

TEST_F(Scores, OneLiarAmongThreeDecidesNothing) {
  swarm.give_score("v1", with(swarm.score({{"t2", 1'000'000'000}}), 0, "withheld"));
  swarm.give_score("v2", swarm.score({{"t2", -1}}));
  swarm.give_score("v3", swarm.score({{"t2", -1}}));
  const Judgement judgement = derive(swarm.run());
  EXPECT_TRUE(judgement.verdicts[0].accepted);
  EXPECT_FALSE(judgement.verdicts[1].accepted);
}

// ---- closes

class Closes : public Scores {
 protected:
  Closes() {
    swarm.give_score("v1", swarm.score({{"t2", -1}}));
    swarm.give_score("v2", swarm.score({{"t2", -1}}));
    good = swarm.close();
  }
  void all_scored() { swarm.give_score("v3", swarm.score({{"t2", -1}})); }
  void refused(const Close& act, const std::string& reason) {
    const Digest weights = swarm.run().weights;
    expect_inert(swarm.give_close(act), reason);
    EXPECT_EQ(swarm.run().weights, weights);
    EXPECT_EQ(swarm.run().history.size(), 0u);
    EXPECT_EQ(swarm.run().distributed, MicroCredit());
  }
  Close good;
};

TEST_F(Closes, WaitForTheEndOfTheScorePhase) {
  refused(good, "score phase has not ended");
  all_scored();
  EXPECT_EQ(swarm.give_close(good).reason, "");
}

TEST_F(Closes, AreTheCoordinatorsOnly) {
  all_scored();
  expect_inert(swarm.say("t1", write(good)), "only the coordinator");
}

TEST_F(Closes, MustAcceptExactlyWhatTheScoresGive) {
  all_scored();
  Close fewer = good;
  fewer.accepted.pop_back();
  refused(fewer, "accepted");
  Close more = good;
  more.accepted.insert(more.accepted.begin() + 1, swarm.run().round.contributions[1].place.id);
  refused(more, "accepted");
  Close disordered = good;
  std::swap(disordered.accepted[0], disordered.accepted[1]);
  refused(disordered, "accepted");
  EXPECT_EQ(swarm.give_close(good).reason, "");
}

TEST_F(Closes, AreOfTheOpenRoundAndOnce) {
  all_scored();
  Close next = good;
  next.round = 1;
  refused(next, "round 1 is not open");
  EXPECT_EQ(swarm.give_close(good).reason, "");
  expect_inert(swarm.give_close(good), "round 0 is not open");
}

TEST_F(Closes, CarryTheUpdateExactlyIfSomethingWasAccepted) {
  all_scored();
  Close without = good;
  without.update.reset();
  refused(without, "update is missing");
}

TEST_F(Closes, CarryACheckpointExactlyWhenDue) {
  all_scored();
  Close early = good;
  early.checkpoint = BlobRef{early.weights, 100, std::string(kWeightsType)};
  refused(early, "no checkpoint is due");
  EXPECT_EQ(swarm.give_close(good).reason, "");
  EXPECT_EQ(swarm.run().checkpoint_round, 0);
  swarm.contribute({"t1", "t2", "t3"});
  swarm.tick_after(1);
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, swarm.score());
  Close without = swarm.close();
  without.checkpoint.reset();
  expect_inert(swarm.give_close(without), "checkpoint is missing");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
  EXPECT_EQ(swarm.run().checkpoint_round, 2);
  EXPECT_EQ(swarm.run().checkpoint->digest, swarm.run().weights);
}

TEST_F(Scores, ARoundWithoutAcceptedContributionsChangesNothingAndPaysNothing) {
  for (const char* validator : {"v1", "v2", "v3"}) {
    swarm.give_score(validator, swarm.score({{"t1", -1}, {"t2", -1}, {"t3", 0}}));
  }
  Close moved = swarm.close();
  moved.weights = digest_of("a present");
  expect_inert(swarm.give_close(moved), "weights: changed");
  Close updated = swarm.close();
  updated.update = blob("update", kUpdateType);
  expect_inert(swarm.give_close(updated), "nothing was accepted");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
  EXPECT_EQ(swarm.run().weights, digest_of("weights 0"));
  EXPECT_EQ(swarm.run().distributed, MicroCredit());
  EXPECT_EQ(swarm.run().round.number, 1);
}

TEST_F(Scores, TheResidualOfAnEmptyRoundIsTheOneBefore) {
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, swarm.score());
  ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  swarm.contribute({"t1", "t2", "t3"});
  swarm.tick_after(1);
  const Swarm::Gains none{{"t1", -1}, {"t2", -1}, {"t3", -1}};
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, swarm.score(none));
  Close changed = swarm.close();
  changed.residual = digest_of("other");
  expect_inert(swarm.give_close(changed), "residual: changed");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
}

// ---- credits of a round

TEST_F(Closes, PayTheAcceptedTheScorersAndTheCoordinator) {
  all_scored();
  swarm.give_close(good);
  const RunState& run = swarm.run();
  EXPECT_EQ(run.credits.at(swarm.id("t1")), MicroCredit(400'000));
  EXPECT_EQ(run.credits.at(swarm.id("t3")), MicroCredit(400'000));
  EXPECT_FALSE(run.credits.contains(swarm.id("t2")));
  EXPECT_EQ(run.credits.at(swarm.id("v2")), MicroCredit(50'000));
  EXPECT_EQ(run.credits.at(swarm.id("coordinator")), MicroCredit(50'000));
  EXPECT_EQ(run.distributed, MicroCredit(1'000'000));
}

TEST_F(Scores, OnlyValidatorsThatScoredArePaid) {
  swarm.give_score("v2", swarm.score());
  swarm.give_score("v3", swarm.score());
  swarm.tick_after(20'000);
  swarm.give_close(swarm.close());
  EXPECT_EQ(swarm.run().credits.at(swarm.id("v2")), MicroCredit(75'000));
  EXPECT_FALSE(swarm.run().credits.contains(swarm.id("v1")));
}

TEST(Credits, WhoEarnsNothingIsNotInTheTable) {
  Recipe recipe = small_recipe();
  recipe.credit = {MicroCredit(1), 90, 10, 0};
  Swarm swarm({"v1"}, recipe);
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.play_round({"t1", "t2"});
  EXPECT_EQ(swarm.run().credits, (std::map<KeyId, MicroCredit>{{swarm.id("t1"), MicroCredit(1)}}));
}

}  // namespace
}  // namespace harambee::fold

// The life of a round (spec/run.md): one test for each rule.
#include <gtest/gtest.h>

#include "fold/assignment.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::blob;
using testing::digest_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::small_recipe;
using testing::Swarm;

void expect_inert(const Outcome& outcome, const std::string& reason) {
  EXPECT_EQ(outcome.effect, Effect::inert);
  EXPECT_THAT(outcome.reason, HasSubstr(reason));
}

// ---- opening and starting a run

TEST(Run, ANameIsTakenOnce) {
  Swarm swarm;
  expect_inert(swarm.say("ann", write(swarm.open_run(small_recipe()))), "taken");
  EXPECT_EQ(swarm.say("ann", write(swarm.open_run(small_recipe(), "other"))).reason, "");
  EXPECT_EQ(swarm.state.run_named("demo")->maintainer, swarm.id("maintainer"));
  EXPECT_EQ(swarm.state.run_named("other")->maintainer, swarm.id("ann"));
  EXPECT_EQ(swarm.state.run_named("neither"), nullptr);
}

TEST(Run, OnlyTheMaintainerStartsItAndOnce) {
  Swarm swarm;
  Start start{swarm.run_id, 1, 1, 1, blob("weights 0", kWeightsType)};
  expect_inert(swarm.say("ann", write(start)), "only the maintainer");
  EXPECT_EQ(swarm.run().phase, Phase::waiting_start);
  EXPECT_EQ(swarm.start().reason, "");
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  EXPECT_EQ(swarm.run().round.number, 0);
  EXPECT_EQ(swarm.run().weights, digest_of("weights 0"));
  EXPECT_EQ(swarm.run().round.opened_ms, 1'000'000);
  expect_inert(swarm.start(), "already");
}

TEST(Run, RecordsOfARunThatIsNotThereAreInert) {
  Swarm swarm;
  expect_inert(swarm.say("ann", write(Join{digest_of("no run"), "exact-1", "t"})), "no such run");
}

TEST(Run, NothingIsContributedBeforeTheStart) {
  Swarm swarm;
  swarm.join({"t1"});
  expect_inert(swarm.contribute("t1"), "not started");
}

// ---- members

TEST(Members, OrdinalsFollowTheJoinsAndAreKept) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  EXPECT_EQ(swarm.leave("t1").reason, "");
  swarm.join({"t3", "t1"});
  EXPECT_EQ(swarm.member("t1").ordinal, 0u);
  EXPECT_EQ(swarm.member("t2").ordinal, 1u);
  EXPECT_EQ(swarm.member("t3").ordinal, 2u);
}

TEST(Members, JoinOnceLeaveOnce) {
  Swarm swarm;
  swarm.join({"t1"});
  expect_inert(swarm.join("t1"), "member already");
  expect_inert(swarm.leave("t2"), "not joined");
  EXPECT_EQ(swarm.leave("t1").reason, "");
  expect_inert(swarm.leave("t1"), "left already");
}

// ---- the normal round

TEST(Round, GoesFromCommitToScoreToCloseToTheNext) {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.contribute({"t1", "t2", "t3"});
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  swarm.tick_after(1000);
  ASSERT_EQ(swarm.run().phase, Phase::score);
  for (const char* validator : {"v1", "v2", "v3"}) {
    EXPECT_EQ(swarm.run().phase, Phase::score);
    EXPECT_EQ(swarm.give_score(validator, swarm.score({{"t2", -5}})).reason, "");
  }
  ASSERT_EQ(swarm.run().phase, Phase::closing);
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");

  EXPECT_EQ(swarm.run().phase, Phase::commit);
  EXPECT_EQ(swarm.run().round.number, 1);
  EXPECT_EQ(swarm.run().weights, digest_of("weights 1"));
  EXPECT_EQ(swarm.run().residual, digest_of("residual 1"));
  ASSERT_EQ(swarm.run().history.size(), 1u);
  const ClosedRound& round = swarm.run().history[0];
  ASSERT_EQ(round.contributions.size(), 3u);
  EXPECT_TRUE(round.contributions[0].accepted);
  EXPECT_FALSE(round.contributions[1].accepted);
  EXPECT_EQ(round.contributions[1].reason, "gain -0.000000005");
  EXPECT_TRUE(round.contributions[2].accepted);
  EXPECT_EQ(round.loss_nanos, 2'450'000'000);
  EXPECT_EQ(round.base, digest_of("weights 0"));
  EXPECT_EQ(round.weights, digest_of("weights 1"));
}

TEST(Round, TheScoreSeedIsTheRootUpToTheTickThatEndedTheCommitPhase) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  EXPECT_FALSE(swarm.run().round.score_seed.has_value());
  swarm.tick_after(1000);
  std::vector<Digest> leaves;
  for (const Bytes& entry : swarm.entries) leaves.push_back(log::leaf_hash(entry));
  EXPECT_EQ(swarm.run().round.score_seed,
            sha256({view("harambee score v1\n"), log::root_of(leaves).view()}));
}

TEST(Round, OnlyATickEndsTheCommitPhase) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  swarm.join({"t3"});
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
}

TEST(Round, WaitsForEverybodyExpectedUntilTheDeadline) {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  EXPECT_EQ(swarm.run().round.waiting_for, 1);
  swarm.tick_after(7999);
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_THAT(swarm.run().missed, ElementsAre(swarm.id("t3")));
}

TEST(Round, WaitsBeyondTheDeadlineForTheLeastNumberOfContributions) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1"});
  swarm.tick_after(1'000'000);
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  swarm.contribute({"t2"});
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
}

TEST(Round, DoesNotWaitForWhoMissedTheLastOne) {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.play_round({"t1", "t2"});
  EXPECT_TRUE(swarm.member("t3").missed);
  EXPECT_EQ(swarm.member("t3").missed_rounds, 1);
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_THAT(swarm.run().missed, IsEmpty());
  EXPECT_EQ(swarm.member("t3").missed_rounds, 1);  // it was not expected, so it missed nothing
}

TEST(Round, WaitsAgainForWhoCameBack) {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.play_round({"t1", "t2"});
  swarm.play_round({"t1", "t2", "t3"});
  EXPECT_FALSE(swarm.member("t3").missed);
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  swarm.contribute({"t3"});
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
}

TEST(Round, ALateJoinerMayContributeButIsNotWaitedFor) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.join({"t3", "t4"});
  swarm.contribute({"t1", "t2", "t3"});
  swarm.tick_after(1);
  ASSERT_EQ(swarm.run().phase, Phase::score);
  EXPECT_EQ(swarm.run().round.contributions.size(), 3u);
  EXPECT_THAT(swarm.run().missed, IsEmpty());
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, swarm.score());
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
  EXPECT_EQ(swarm.run().round.waiting_for, 4);  // from the next round on it is
}

TEST(Round, DoesNotWaitForWhoLeft) {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  EXPECT_EQ(swarm.leave("t3").reason, "");
  EXPECT_EQ(swarm.run().round.waiting_for, 0);
  expect_inert(swarm.contribute("t3"), "left");
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_THAT(swarm.run().missed, IsEmpty());
}

TEST(Round, LeavingAfterCommittingOrJoiningAgainChangesNothingForTheRound) {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.contribute({"t1"});
  swarm.leave("t1");
  EXPECT_EQ(swarm.run().round.waiting_for, 2);
  swarm.leave("t2");
  swarm.join({"t2"});  // a new join: expected from the next round on
  EXPECT_EQ(swarm.run().round.waiting_for, 1);
  swarm.contribute({"t3", "t2"});
  EXPECT_EQ(swarm.run().round.waiting_for, 0);
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_EQ(swarm.run().round.contributions.size(), 3u);
}

// ---- contributions that are not taken

class Contributions : public ::testing::Test {
 protected:
  Contributions() {
    swarm.join({"t1", "t2"});
    swarm.start();
  }
  void refused(const std::string& who, const Contribution& act, const std::string& reason) {
    const std::size_t before = swarm.run().round.contributions.size();
    expect_inert(swarm.say(who, write(act)), reason);
    EXPECT_EQ(swarm.run().round.contributions.size(), before);
    EXPECT_THAT(swarm.run().refusals.back().reason, HasSubstr(reason));
  }
  Swarm swarm;
};

TEST_F(Contributions, OfStrangersAreRefused) {
  refused("stranger", swarm.contribution("stranger"), "not joined");
}

TEST_F(Contributions, FromOtherWeightsAreRefused) {
  Contribution act = swarm.contribution("t1");
  act.base = digest_of("other weights");
  refused("t1", act, "base");
}

TEST_F(Contributions, ForAnotherRoundAreRefused) {
  Contribution act = swarm.contribution("t1");
  act.round = 1;
  refused("t1", act, "round 1 is not open; round 0 is");
}

TEST_F(Contributions, AreOnePerAuthorAndRound) {
  swarm.contribute({"t1"});
  refused("t1", swarm.contribution("t1"), "already");
  EXPECT_EQ(swarm.run().round.waiting_for, 1);
}

TEST_F(Contributions, AreRefusedAfterTheCommitPhase) {
  swarm.join({"t3"});
  const Contribution late = swarm.contribution("t3");
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  refused("t3", late, "late");
  for (const char* validator : {"v1", "v2", "v3"}) swarm.give_score(validator, swarm.score());
  refused("t3", late, "late");
}

TEST_F(Contributions, ContinueTheirAuthorsErrorFeedback) {
  Contribution unknown = swarm.contribution("t1");
  unknown.error_feedback.before = digest_of("from nowhere");
  refused("t1", unknown, "ef: begins from a state that the log does not know");
  swarm.play_round({"t1", "t2"});
  Contribution wrong = swarm.contribution("t1");
  wrong.error_feedback.before = digest_of("ef t2 0");
  refused("t1", wrong, "ef: begins from");
  EXPECT_EQ(swarm.contribute("t1").reason, "");
}

TEST_F(Contributions, ContinueTheirAuthorsOptimizer) {
  Contribution unknown = swarm.contribution("t1");
  unknown.optimizer.before = digest_of("from nowhere");
  refused("t1", unknown, "opt: begins from a state that the log does not know");
  swarm.play_round({"t1", "t2"});
  Contribution wrong = swarm.contribution("t1");
  wrong.optimizer.before = digest_of("opt t2 0");
  refused("t1", wrong, "opt: begins from");
}

TEST_F(Contributions, MayAlwaysBeginAfresh) {
  swarm.play_round({"t1", "t2"});
  Contribution act = swarm.contribution("t1");
  act.error_feedback.before = std::nullopt;
  act.optimizer.before = std::nullopt;
  EXPECT_EQ(swarm.say("t1", write(act)).reason, "");
  EXPECT_EQ(swarm.member("t1").error_feedback, act.error_feedback.after);
  EXPECT_EQ(swarm.member("t1").optimizer, act.optimizer.after);
}

TEST_F(Contributions, AreRefusedWhenTheRoundIsFull) {
  for (std::size_t i = 0; i < kContributionsPerRoundMax; ++i) {
    const std::string who = "many " + std::to_string(i);
    swarm.join(who);
    ASSERT_EQ(swarm.contribute(who).reason, "");
  }
  refused("t1", swarm.contribution("t1"), "full");
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

TEST_F(Scores, ListEveryContributionInLogOrder) {
  Score missing = swarm.score();
  missing.entries.pop_back();
  refused("v1", missing, "entries: must be one for each");
  Score swapped = swarm.score();
  std::swap(swapped.entries[0], swapped.entries[1]);
  refused("v1", swapped, "log order");
  Score twice = swarm.score();
  twice.entries[1] = twice.entries[0];
  refused("v1", twice, "log order");
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
  fresh.tick_after(20'000);
  ASSERT_EQ(fresh.run().phase, Phase::closing);
  expect_inert(fresh.give_score("v2", fresh.score()), "late");
}

TEST_F(Scores, EndAtTheDeadlineWithAtLeastOne) {
  swarm.tick_after(19'999);
  swarm.give_score("v1", swarm.score());
  EXPECT_EQ(swarm.run().phase, Phase::score);
  swarm.tick_after(1);  // phase start + reveal_ms + score_ms
  EXPECT_EQ(swarm.run().phase, Phase::closing);
}

TEST_F(Scores, WithoutOneTheRoundWaits) {
  swarm.tick_after(1'000'000);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  swarm.give_score("v2", swarm.score());
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
  const Judgement judgement = derive(swarm.run().round);
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
  EXPECT_EQ(derive(swarm.run().round).verdicts[0].gain_nanos, -5);
}

TEST_F(Scores, AMajorityMustHaveEvaluatedIt) {
  swarm.give_score("v1", with(swarm.score(), 0, "withheld"));
  swarm.give_score("v2", with(swarm.score(), 0, "withheld"));
  swarm.give_score("v3", swarm.score());
  const Judgement judgement = derive(swarm.run().round);
  EXPECT_FALSE(judgement.verdicts[0].accepted);
  EXPECT_EQ(judgement.verdicts[0].reason, "withheld");
  EXPECT_FALSE(judgement.verdicts[0].gain_nanos.has_value());
  EXPECT_TRUE(judgement.verdicts[1].accepted);
}

TEST_F(Scores, HalfIsNoMajority) {
  swarm.give_score("v1", with(swarm.score(), 0, "malformed: index 3"));
  swarm.give_score("v2", swarm.score());
  swarm.tick_after(20'000);
  EXPECT_EQ(derive(swarm.run().round).verdicts[0].reason, "malformed: index 3");
}

TEST_F(Scores, OneLiarAmongThreeDecidesNothing) {
  swarm.give_score("v1", with(swarm.score({{"t2", 1'000'000'000}}), 0, "withheld"));
  swarm.give_score("v2", swarm.score({{"t2", -1}}));
  swarm.give_score("v3", swarm.score({{"t2", -1}}));
  const Judgement judgement = derive(swarm.run().round);
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

TEST(Run, IsFinishedAfterItsRounds) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  for (int round = 0; round < 4; ++round) swarm.play_round({"t1", "t2"});
  EXPECT_EQ(swarm.run().phase, Phase::finished);
  EXPECT_EQ(swarm.run().history.size(), 4u);
  EXPECT_EQ(swarm.run().checkpoint->digest, swarm.run().weights);
  EXPECT_EQ(swarm.run().distributed, MicroCredit(4'000'000));
  expect_inert(swarm.contribute("t1"), "finished");
  expect_inert(swarm.join("t9"), "finished");
  swarm.tick_after(1'000'000);
  EXPECT_EQ(swarm.run().phase, Phase::finished);
}

TEST(Run, TheLastRoundCarriesACheckpointWhateverItsNumber) {
  Recipe recipe = small_recipe();
  recipe.rounds = 3;
  EXPECT_FALSE(recipe.checkpoint_due(0));
  EXPECT_TRUE(recipe.checkpoint_due(1));
  EXPECT_TRUE(recipe.checkpoint_due(2));
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
  swarm.tick_after(20'000);
  swarm.give_close(swarm.close());
  EXPECT_EQ(swarm.run().credits.at(swarm.id("v2")), MicroCredit(150'000));
  EXPECT_FALSE(swarm.run().credits.contains(swarm.id("v1")));
}

// ---- two runs in one log do not touch each other

TEST(Run, RunsAreIndependent) {
  Swarm swarm;
  swarm.say("maintainer", write(swarm.open_run(small_recipe(), "second")));
  const RecordId second = swarm.last;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.play_round({"t1", "t2"});
  EXPECT_EQ(swarm.state.run(second)->phase, Phase::waiting_start);
  EXPECT_TRUE(swarm.state.run(second)->members.empty());
}

}  // namespace
}  // namespace harambee::fold

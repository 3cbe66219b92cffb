// The life of a round (spec/run.md): one test for each rule.
#include <gtest/gtest.h>

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

TEST(Members, AFullRunTakesNobodyMore) {
  Swarm swarm;
  swarm.join({"t1"});
  RunState& run = swarm.state.runs.at(swarm.run_id);
  for (std::size_t i = 1; i < kMembersMax; ++i) {
    Member member;
    member.key = digest_of("filler " + std::to_string(i));
    run.members.add(member);
  }
  expect_inert(swarm.join("t2"), "full");
  EXPECT_EQ(swarm.leave("t1").reason, "");
  EXPECT_EQ(swarm.join("t1").reason, "");  // it has its place
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

// Who may name another class each round chooses how it is audited.
TEST_F(Contributions, OfAnotherClassThanTheirAuthorJoinedAsAreRefused) {
  Contribution act = swarm.contribution("t1");
  act.numeric_class = "other-1";
  refused("t1", act, "class: other-1, but the author joined as exact-1");
}

TEST_F(Contributions, SayTheWorkOfARoundAndNoOther) {
  Contribution act = swarm.contribution("t1");
  ++act.steps;
  refused("t1", act, "steps: a round of this run has 5");
  act = swarm.contribution("t1");
  ++act.tokens;
  refused("t1", act, "tokens: a round's work is 2560");
}

TEST_F(Contributions, AreOnePerAuthorAndRound) {
  swarm.contribute({"t1"});
  refused("t1", swarm.contribution("t1"), "already");
  EXPECT_EQ(swarm.run().round.waiting_for, 1);
}

// The delta names its author, so a copy is worth nothing; were the first to name it to win, a
// copycat with a friend at the hub could shut the author out.
TEST_F(Contributions, ACopycatThatComesFirstShutsNobodyOut) {
  swarm.contribute({"t1"});
  Contribution original = swarm.contribution("t2");
  original.delta = swarm.run().round.contributions.front().act.delta;
  EXPECT_EQ(swarm.say("t2", write(original)).reason, "");
  EXPECT_EQ(swarm.run().round.contributions.size(), 2u);
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
  swarm.tick_after(swarm.run().recipe.commit_ms);  // nobody's place is kept any more
  ASSERT_EQ(swarm.run().places(), 64u);
  for (std::size_t i = 0; i < swarm.run().places(); ++i) {
    const std::string who = "many " + std::to_string(i);
    swarm.join(who);
    ASSERT_EQ(swarm.contribute(who).reason, "");
  }
  refused("t1", swarm.contribution("t1"), "full");
}

// ---- the end

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

// What each mind wants in each phase.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fold/assignment.h"
#include "role/coordinator.h"
#include "role/trainer.h"
#include "role/validator.h"
#include "tests/fold/log_builder.h"

namespace harambee::role {
namespace {

using fold::Phase;
using fold::testing::digest_of;
using fold::testing::Swarm;

class Minds : public ::testing::Test {
 protected:
  trainer::Action t(const std::string& who, const TrainerFacts& facts = {}) {
    return decide_trainer(swarm.state, swarm.run(), swarm.id(who), facts);
  }
  validator::Action v(const std::string& who, const ValidatorFacts& facts = {}) {
    return decide_validator(swarm.state, swarm.run(), swarm.id(who), facts);
  }
  coordinator::Action c(const CoordinatorFacts& facts = {},
                        const std::string& who = "coordinator") {
    return decide_coordinator(swarm.state, swarm.run(), swarm.id(who), facts);
  }
  void to_commit() {
    swarm.join({"t1", "t2"});
    swarm.start();
  }
  void to_score() {
    to_commit();
    swarm.contribute({"t1", "t2"});
    swarm.tick_after(1);
  }
  void to_closing(const Swarm::Gains& gains = {}) {
    to_score();
    for (const char* who : {"v1", "v2", "v3"}) swarm.give_score(who, swarm.score(gains));
  }
  void introduce(const std::string& who) {
    swarm.say(who, write(fold::Identity{swarm.key(who).public_key()}));
  }
  std::int64_t now() { return swarm.state.now_ms(); }

  Swarm swarm;
};

template <typename T, typename Action>
bool is(const Action& action) {
  return std::holds_alternative<T>(action);
}

// ---- trainer

TEST_F(Minds, ATrainerIntroducesItselfThenJoins) {
  EXPECT_TRUE(is<trainer::Identify>(t("t1")));
  EXPECT_TRUE(is<trainer::Wait>(t("t1", {.identify_sent = true})));
  introduce("t1");
  EXPECT_TRUE(is<trainer::Join>(t("t1")));
  EXPECT_TRUE(is<trainer::Wait>(t("t1", {.join_sent = true})));
  swarm.join({"t1"});
  EXPECT_TRUE(is<trainer::Wait>(t("t1")));  // not started
}

TEST_F(Minds, ATrainerTrainsOnceARound) {
  to_commit();
  const trainer::Action action = t("t2");
  ASSERT_TRUE(is<trainer::Train>(action));
  const auto& train = std::get<trainer::Train>(action);
  EXPECT_EQ(train.round, 0);
  EXPECT_EQ(train.base, swarm.run().weights);
  EXPECT_EQ(train.ordinal, 1u);
  EXPECT_EQ(train.seed, fold::inner_seed(swarm.run_id, 0, swarm.id("t2")));
  EXPECT_EQ(train.first_step, 0);
  EXPECT_EQ(train.total_steps, 20);
  EXPECT_FALSE(train.error_feedback.has_value());
  EXPECT_EQ(train.commit_deadline_ms, now() + 8000);
  EXPECT_TRUE(is<trainer::Wait>(t("t2", {.attempted_round = 0})));
  swarm.contribute({"t2"});
  EXPECT_TRUE(is<trainer::Wait>(t("t2")));
}

TEST_F(Minds, ATrainerGoesOnFromItsOwnStates) {
  to_closing();
  swarm.give_close(swarm.close());
  const auto train = std::get<trainer::Train>(t("t1", {.attempted_round = 0}));
  EXPECT_EQ(train.round, 1);
  EXPECT_EQ(train.first_step, 5);
  EXPECT_EQ(train.base, digest_of("weights 1"));
  EXPECT_EQ(train.error_feedback, digest_of("ef t1 0"));
  EXPECT_EQ(train.optimizer, digest_of("opt t1 0"));
}

TEST_F(Minds, ATrainerRevealsItsBlobBetweenTheCommitAndTheClose) {
  to_commit();
  swarm.contribute({"t1", "t2"});
  EXPECT_TRUE(is<trainer::Wait>(t("t1")));
  swarm.tick_after(1);
  const trainer::Action action = t("t1");
  ASSERT_TRUE(is<trainer::Reveal>(action));
  const auto& reveal = std::get<trainer::Reveal>(action);
  EXPECT_EQ(reveal.delta.digest, digest_of("delta t1 0"));
  EXPECT_EQ(reveal.deadline_ms, now() + 5000);
  EXPECT_TRUE(is<trainer::Wait>(t("t1", {.uploaded_round = 0})));
  swarm.join({"t3"});
  EXPECT_TRUE(is<trainer::Wait>(t("t3")));
  // Whoever doubts that the hub still has it reveals it again, as long as somebody waits for it.
  for (const char* who : {"v1", "v2", "v3"}) swarm.give_score(who, swarm.score());
  ASSERT_EQ(swarm.run().phase, fold::Phase::closing);
  EXPECT_TRUE(is<trainer::Reveal>(t("t1")));
  EXPECT_TRUE(is<trainer::Wait>(t("t1", {.uploaded_round = 0})));
  EXPECT_TRUE(is<trainer::Wait>(t("t3")));
  swarm.give_close(swarm.close());
  EXPECT_FALSE(is<trainer::Reveal>(t("t1")));
}

TEST_F(Minds, ATrainerDoesNotTrainForAFullRound) {
  to_commit();
  for (std::size_t i = 0; i < swarm.run().places(); ++i) {
    const std::string who = "many " + std::to_string(i);
    swarm.join(who);
    swarm.contribute(who);
  }
  swarm.join({"late"});
  EXPECT_TRUE(is<trainer::Wait>(t("late")));
  EXPECT_TRUE(is<trainer::Train>(t("t1")));  // the round waits for it: its place is kept
  swarm.tick_after(swarm.run().recipe.commit_ms);
  EXPECT_EQ(swarm.run().phase, fold::Phase::score);
}

TEST_F(Minds, ATrainerThatWasNotDrawnWaitsUntilTheDeadline) {
  fold::Recipe recipe = fold::testing::small_recipe();
  recipe.judge.cohort = 3;
  Swarm crowd({"v1"}, recipe);
  for (int i = 0; i < 9; ++i) crowd.join("p" + std::to_string(i));
  crowd.start();
  std::string left_out;
  int training = 0;
  for (int i = 0; i < 9; ++i) {
    const std::string who = "p" + std::to_string(i);
    const trainer::Action action = decide_trainer(crowd.state, crowd.run(), crowd.id(who), {});
    training += is<trainer::Train>(action) ? 1 : 0;
    if (!is<trainer::Wait>(action)) continue;
    EXPECT_EQ(std::get<trainer::Wait>(action).text(),
              "others were drawn for this round; waiting for the next");
    left_out = who;
  }
  EXPECT_EQ(training, 3);
  // Nobody came: the timekeepers let the log know that it is late, and then everybody may.
  const std::int64_t deadline = *crowd.run().deadline_ms();
  EXPECT_FALSE(tick_is_wanted(crowd.state, crowd.run(), {.now_ms = deadline - 1}));
  EXPECT_TRUE(tick_is_wanted(crowd.state, crowd.run(), {.now_ms = deadline}));
  crowd.tick(deadline);
  EXPECT_FALSE(tick_is_wanted(crowd.state, crowd.run(), {.now_ms = deadline + 5000}));
  EXPECT_TRUE(is<trainer::Train>(decide_trainer(crowd.state, crowd.run(), crowd.id(left_out), {})));
}

TEST_F(Minds, ATrainerThatLeftJoinsAgain) {
  to_commit();
  swarm.leave("t1");
  EXPECT_TRUE(is<trainer::Join>(t("t1")));
}

TEST_F(Minds, ATrainerStopsWhenExcludedOrDone) {
  fold::Recipe recipe = fold::testing::small_recipe();
  recipe.rounds = 7;
  Swarm longer({"v1"}, recipe);
  longer.join({"t1", "t2"});
  longer.start();
  for (int i = 0; i < 6; ++i) longer.play_round({"t1", "t2"}, {{"t2", -5}});
  const auto action = decide_trainer(longer.state, longer.run(), longer.id("t2"), {});
  ASSERT_TRUE(is<trainer::Excluded>(action));
  EXPECT_THAT(std::get<trainer::Excluded>(action).reason, ::testing::HasSubstr("6 rounds"));
  longer.join({"t3"});
  longer.play_round({"t1", "t3"});
  EXPECT_TRUE(is<trainer::Done>(decide_trainer(longer.state, longer.run(), longer.id("t1"), {})));
}

// ---- validator

TEST_F(Minds, AValidatorScoresEveryContributionOnce) {
  to_score();
  EXPECT_TRUE(is<validator::Stranger>(v("t1")));
  EXPECT_TRUE(is<validator::Identify>(v("v1")));
  introduce("v1");
  const validator::Action action = v("v1");
  ASSERT_TRUE(is<validator::Score>(action));
  const auto& score = std::get<validator::Score>(action);
  EXPECT_EQ(score.seed, swarm.run().round.score_seed);
  EXPECT_EQ(score.base, swarm.run().weights);
  ASSERT_EQ(score.contributions.size(), 2u);
  EXPECT_EQ(score.contributions[0].author, swarm.id("t1"));
  EXPECT_EQ(score.contributions[1].delta.digest, digest_of("delta t2 0"));
  EXPECT_EQ(score.reveal_deadline_ms, now() + 5000);
  EXPECT_EQ(score.score_deadline_ms, now() + 20'000);
  EXPECT_TRUE(is<validator::Wait>(v("v1", {.attempted_round = 0})));
  swarm.give_score("v1", swarm.score());
  EXPECT_TRUE(is<validator::Wait>(v("v1")));
}

TEST_F(Minds, AValidatorsScoreFromItsActionIsTaken) {
  to_score();
  introduce("v1");
  const auto todo = std::get<validator::Score>(v("v1"));
  fold::Score act{swarm.run_id, todo.round, todo.base, todo.seed, 1, {}};
  for (std::size_t i = 0; i < todo.contributions.size(); ++i)
    act.entries.push_back({1, "0", 0, "ok", static_cast<std::int64_t>(act.entries.size())});
  EXPECT_EQ(swarm.give_score("v1", act).reason, "");
}

TEST_F(Minds, AValidatorThatWasNotDrawnStandsInAfterTheDeadline) {
  fold::Recipe recipe = fold::testing::small_recipe();
  recipe.judge.committee = 3;
  Swarm many({"v1", "v2", "v3", "v4"}, recipe);
  many.join({"t1", "t2"});
  many.start();
  many.contribute({"t1", "t2"});
  many.tick_after(1);
  std::string left_out;
  for (const std::string& who : many.validator_names) {
    many.say(who, write(fold::Identity{many.key(who).public_key()}));
    const auto action = decide_validator(many.state, many.run(), many.id(who), {});
    if (is<validator::Score>(action)) continue;
    ASSERT_TRUE(is<validator::Wait>(action));
    EXPECT_EQ(std::get<validator::Wait>(action).why,
              "other validators were drawn to score this round");
    EXPECT_EQ(left_out, "");
    left_out = who;
  }
  ASSERT_NE(left_out, "");
  // Nobody came: the timekeepers, of which it is one, let the log know that it is late.
  const std::int64_t deadline = *many.run().deadline_ms();
  const auto at_deadline =
      decide_validator(many.state, many.run(), many.id(left_out), {.clock = {.now_ms = deadline}});
  EXPECT_TRUE(is<validator::AskTick>(at_deadline));
  many.tick(deadline);
  EXPECT_FALSE(tick_is_wanted(many.state, many.run(), {.now_ms = deadline + 5000}));
  EXPECT_TRUE(
      is<validator::Score>(decide_validator(many.state, many.run(), many.id(left_out), {})));
}

// ---- ticks

TEST_F(Minds, ATickIsAskedForWhenEverybodyHasCommitted) {
  introduce("coordinator");
  introduce("v1");
  to_commit();
  swarm.contribute({"t1"});
  EXPECT_TRUE(is<coordinator::Wait>(c({.clock = {.now_ms = now() + 1}})));
  swarm.contribute({"t2"});
  // Even with a wall clock that is far behind the log.
  EXPECT_TRUE(is<coordinator::AskTick>(c({.clock = {.now_ms = 5}})));
  EXPECT_TRUE(is<validator::AskTick>(v("v1", {.clock = {.now_ms = 5}})));
}

TEST_F(Minds, ATickIsAskedForAtTheCommitDeadline) {
  introduce("coordinator");
  swarm.join({"t1", "t2", "t3"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  EXPECT_TRUE(is<coordinator::Wait>(c({.clock = {.now_ms = now() + 7999}})));
  EXPECT_TRUE(is<coordinator::AskTick>(c({.clock = {.now_ms = now() + 8000}})));
}

TEST_F(Minds, ATickIsAskedForAtTheScoreDeadlineIfThereAreScores) {
  introduce("coordinator");
  to_score();
  swarm.give_score("v1", swarm.score());
  EXPECT_TRUE(is<coordinator::Wait>(c({.clock = {.now_ms = now() + 20'000}})));
  swarm.give_score("v2", swarm.score());
  EXPECT_TRUE(is<coordinator::Wait>(c({.clock = {.now_ms = now() + 19'999}})));
  EXPECT_TRUE(is<coordinator::AskTick>(c({.clock = {.now_ms = now() + 20'000}})));
}

TEST_F(Minds, TicksAreNotAskedForMoreOftenThanTheHubGrantsThem) {
  introduce("coordinator");
  to_commit();
  swarm.contribute({"t1", "t2"});
  EXPECT_TRUE(is<coordinator::Wait>(c({.clock = {.now_ms = 10'999, .asked_ms = 10'000}})));
  EXPECT_TRUE(is<coordinator::AskTick>(c({.clock = {.now_ms = 11'000, .asked_ms = 10'000}})));
  // The clock was set back.
  EXPECT_TRUE(is<coordinator::AskTick>(c({.clock = {.now_ms = 9'000, .asked_ms = 10'000}})));
}

TEST_F(Minds, TheLogsTimeCountsWhereItIsAheadOfTheClock) {
  to_commit();
  EXPECT_EQ(log_time(swarm.state, now() + 7, 3), now() + 7);
  EXPECT_EQ(log_time(swarm.state, now() - 86'400'000, 3), now() + 3);
}

// ---- coordinator

TEST_F(Minds, ACoordinatorClosesWhatTheScoresGive) {
  to_closing({{"t1", -1}});
  EXPECT_TRUE(is<coordinator::Stranger>(c({}, "t1")));
  EXPECT_TRUE(is<coordinator::Identify>(c()));
  introduce("coordinator");
  const coordinator::Action action = c();
  ASSERT_TRUE(is<coordinator::Close>(action));
  const auto& close = std::get<coordinator::Close>(action);
  EXPECT_EQ(close.round, 0);
  EXPECT_EQ(close.base, swarm.run().weights);
  EXPECT_FALSE(close.residual.has_value());
  ASSERT_EQ(close.accepted.size(), 1u);
  EXPECT_EQ(close.accepted[0].delta.digest, digest_of("delta t2 0"));
  EXPECT_FALSE(close.checkpoint_due);
  EXPECT_TRUE(is<coordinator::Wait>(c({.attempted_round = 0})));
}

TEST_F(Minds, ACoordinatorGoesBackWhenTheLossRose) {
  to_closing();
  introduce("coordinator");
  const Digest good = swarm.run().weights;
  ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  fold::Score score = swarm.score();
  *score.loss_nanos += 600'000'000;
  for (const char* who : {"v1", "v2", "v3"}) swarm.give_score(who, score);
  const coordinator::Action action = c();
  ASSERT_TRUE(is<coordinator::GoBack>(action));
  const auto& back = std::get<coordinator::GoBack>(action);
  EXPECT_EQ(back.round, 1);
  EXPECT_EQ(back.weights, good);
  EXPECT_FALSE(back.residual.has_value());
  EXPECT_TRUE(back.checkpoint_due);
  EXPECT_EQ(back.why, "the loss rose to 3.05, the best was 2.45");
  EXPECT_TRUE(is<coordinator::Wait>(c({.attempted_round = 1})));
}

// Where no text is needed, the coordinator says itself what the blobs are, if the run lists it.
TEST(MindsWithoutText, ACoordinatorThatIsListedScores) {
  Swarm swarm({"coordinator"}, fold::testing::textless_recipe());
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  const KeyId me = swarm.id("coordinator");
  swarm.say("coordinator", write(fold::Identity{swarm.key("coordinator").public_key()}));
  const auto mind = [&](const CoordinatorFacts& facts) {
    return decide_coordinator(swarm.state, swarm.run(), me, facts);
  };
  EXPECT_TRUE(is<coordinator::AskTick>(mind({})));
  swarm.tick_after(1);
  const coordinator::Action action = mind({});
  ASSERT_TRUE(is<coordinator::Score>(action));
  EXPECT_EQ(std::get<coordinator::Score>(action).contributions.size(), 2u);
  EXPECT_TRUE(is<coordinator::Wait>(mind({.scored_round = 0})));
  // A validator's program with the same key only audits.
  EXPECT_TRUE(is<validator::Wait>(decide_validator(swarm.state, swarm.run(), me, {})));
  EXPECT_EQ(swarm.give_score("coordinator", swarm.score()).reason, "");
  EXPECT_TRUE(is<coordinator::Close>(mind({.scored_round = 0})));
}

TEST(MindsWithoutText, OtherValidatorsScoreAsEver) {
  Swarm swarm({"v1"}, fold::testing::textless_recipe());
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  for (const char* who : {"coordinator", "v1"}) {
    swarm.say(who, write(fold::Identity{swarm.key(who).public_key()}));
  }
  EXPECT_TRUE(is<coordinator::Wait>(
      decide_coordinator(swarm.state, swarm.run(), swarm.id("coordinator"), {})));
  EXPECT_TRUE(is<validator::Score>(decide_validator(swarm.state, swarm.run(), swarm.id("v1"), {})));
}

// ---- all of them together, driven by nothing but their minds

TEST(MindsTogether, FinishARun) {
  Swarm swarm;
  std::map<std::string, TrainerFacts> trainers = {{"t1", {}}, {"t2", {}}, {"t3", {}}};
  std::int64_t now_ms = swarm.state.now_ms();
  const auto identify = [&](const std::string& who) {
    swarm.say(who, write(fold::Identity{swarm.key(who).public_key()}));
  };
  swarm.start();
  int steps = 0;
  for (; steps < 1000 && swarm.run().phase != Phase::finished; ++steps) {
    now_ms += 500;
    for (auto& [who, facts] : trainers) {
      const auto action = decide_trainer(swarm.state, swarm.run(), swarm.id(who), facts);
      if (is<trainer::Identify>(action)) identify(who);
      if (is<trainer::Join>(action)) swarm.join(who);
      if (const auto* train = std::get_if<trainer::Train>(&action)) {
        ASSERT_EQ(swarm.contribute(who).reason, "");
        facts.attempted_round = train->round;
      }
      if (const auto* reveal = std::get_if<trainer::Reveal>(&action)) {
        facts.uploaded_round = reveal->round;
      }
    }
    for (const std::string& who : swarm.validator_names) {
      const auto action =
          decide_validator(swarm.state, swarm.run(), swarm.id(who), {.clock = {.now_ms = now_ms}});
      if (is<validator::Identify>(action)) identify(who);
      if (is<validator::Score>(action)) {
        ASSERT_EQ(swarm.give_score(who, swarm.score()).reason, "");
      }
    }
    const auto action = decide_coordinator(swarm.state, swarm.run(), swarm.id("coordinator"),
                                           {.clock = {.now_ms = now_ms}});
    if (is<coordinator::Identify>(action)) identify("coordinator");
    if (is<coordinator::AskTick>(action)) swarm.tick(now_ms);
    if (is<coordinator::Close>(action)) {
      ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
    }
  }
  EXPECT_EQ(swarm.run().phase, Phase::finished);
  EXPECT_EQ(swarm.run().history.size(), 4u);
  EXPECT_LT(steps, 40);  // nobody waited for a deadline that need not be waited for
}

}  // namespace
}  // namespace harambee::role

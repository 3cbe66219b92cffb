// Drawn cohorts (spec/assignment.md, spec/run.md §6): one test for each rule.
#include "fold/cohort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "fold/run_fold.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

Recipe with_cohort(std::int64_t cohort) {
  Recipe recipe = small_recipe();
  recipe.rounds = 50;
  recipe.judge.cohort = cohort;
  return recipe;
}

std::vector<std::string> people(int count, const std::string& prefix = "p") {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

class Cohort : public ::testing::Test {
 protected:
  explicit Cohort(std::int64_t cohort = 8, int members = 20)
      : swarm({"v1"}, with_cohort(cohort)), names(people(members)) {
    for (const std::string& name : names) EXPECT_EQ(swarm.join(name).reason, "");
    swarm.start();
  }
  bool drawn(const std::string& name) { return !swarm.run().left_out(swarm.id(name)); }
  std::vector<std::string> all_drawn() {
    std::vector<std::string> in;
    for (const std::string& name : names) {
      if (drawn(name)) in.push_back(name);
    }
    return in;
  }
  std::string somebody_left_out() {
    for (const std::string& name : names) {
      if (!drawn(name)) return name;
    }
    return "";
  }
  void finish() {
    swarm.tick_after(swarm.run().recipe.commit_ms);
    ASSERT_EQ(swarm.give_score("v1", swarm.score()).reason, "");
    ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  }
  Swarm swarm;
  std::vector<std::string> names;
};

TEST_F(Cohort, AloneMayCommit) {
  EXPECT_EQ(swarm.run().round.cohort.size(), 8u);
  EXPECT_EQ(swarm.run().round.waiting_for, 8);
  for (const std::string& name : names) {
    const Outcome outcome = swarm.contribute(name);
    if (drawn(name)) {
      EXPECT_EQ(outcome.reason, "") << name;
    } else {
      EXPECT_THAT(outcome.reason, HasSubstr("not drawn for this round: it has 8 places"));
    }
  }
  EXPECT_EQ(swarm.run().round.waiting_for, 0);
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_TRUE(swarm.run().missed.empty());
}

TEST_F(Cohort, IsDrawnAnewEachRoundAndReachesEverybody) {
  std::set<std::string> seen;
  std::set<std::vector<KeyId>> cohorts;
  for (int round = 0; round < 16; ++round) {
    cohorts.insert(swarm.run().round.cohort);
    for (const std::string& name : all_drawn()) {
      seen.insert(name);
      ASSERT_EQ(swarm.contribute(name).reason, "");
    }
    finish();
  }
  EXPECT_GT(cohorts.size(), 10u);
  EXPECT_EQ(seen.size(), names.size());
}

TEST_F(Cohort, FollowsFromTheOpeningRecord) {
  const RecordId opening = swarm.run().start_place.id;
  std::vector<KeyId> keys;
  for (const std::string& name : names) keys.push_back(swarm.id(name));
  std::vector<KeyId> expected = draw_some(keys, 8, cohort_seed(swarm.run_id, 0, opening));
  std::ranges::sort(expected);
  EXPECT_EQ(swarm.run().round.cohort, expected);
}

// Who joins after the round before opened might have made its key to be drawn.
TEST_F(Cohort, TheSettledComeFirst) {
  for (const std::string& name : people(30, "sybil")) swarm.join(name);
  for (const std::string& name : all_drawn()) swarm.contribute(name);
  finish();
  EXPECT_EQ(all_drawn().size(), 8u);  // names: the settled ones only
}

TEST_F(Cohort, PastTheDeadlineARoundTakesEverybody) {
  const std::string outsider = somebody_left_out();
  const std::vector<std::string> in = all_drawn();
  swarm.contribute(in[0]);
  const std::int64_t deadline = *swarm.run().deadline_ms();
  EXPECT_FALSE(swarm.run().tick_would_open(deadline - 1, swarm.state.now_ms()));
  EXPECT_TRUE(swarm.run().tick_would_open(deadline, swarm.state.now_ms()));
  swarm.tick(deadline);
  EXPECT_EQ(swarm.run().phase, Phase::commit);  // one is fewer than min_contributions
  EXPECT_FALSE(swarm.run().tick_would_open(deadline + 1, swarm.state.now_ms()));
  EXPECT_EQ(swarm.contribute(outsider).reason, "");
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_EQ(swarm.run().missed.size(), 7u);  // of the drawn; nobody else was expected
}

TEST_F(Cohort, HasPlacesForThoseWhoMissedARound) {
  const std::vector<std::string> in = all_drawn();
  for (std::size_t i = 0; i < 4; ++i) swarm.contribute(in[i]);
  finish();
  const std::set<std::string> missed(in.begin() + 4, in.end());
  int returning = 0;
  for (const std::string& name : all_drawn()) returning += missed.contains(name) ? 1 : 0;
  EXPECT_EQ(returning, 1);  // an eighth
  EXPECT_EQ(swarm.run().round.waiting_for, 7);
  for (const std::string& name : all_drawn()) EXPECT_EQ(swarm.contribute(name).reason, "");
}

class SmallCohort : public Cohort {
 protected:
  SmallCohort() : Cohort(6, 4) {}
};

TEST_F(SmallCohort, IsEverybodyWhereThatIsNotTooMany) {
  EXPECT_TRUE(swarm.run().round.cohort.empty());
  for (const std::string& name : names) EXPECT_FALSE(swarm.run().left_out(swarm.id(name)));
}

// Fresh keys in a hurry must not take the places of those whom the round waits for.
TEST_F(SmallCohort, ReservesPlacesForTheExpected) {
  for (const std::string& name : people(10, "sybil")) swarm.join(name);
  int taken = 0;
  for (const std::string& name : people(10, "sybil")) {
    taken += swarm.contribute(name).reason.empty() ? 1 : 0;
  }
  EXPECT_EQ(taken, 2);
  for (const std::string& name : names) EXPECT_EQ(swarm.contribute(name).reason, "") << name;
  EXPECT_EQ(swarm.run().round.contributions.size(), 6u);
}

TEST(CohortOff, EverybodyMayCommit) {
  Swarm swarm({"v1"}, with_cohort(0));
  for (const std::string& name : people(70)) swarm.join(name);
  swarm.start();
  EXPECT_TRUE(swarm.run().round.cohort.empty());
  for (const std::string& name : people(70)) ASSERT_EQ(swarm.contribute(name).reason, "");
}

// ---- committees of validators

class Committee : public ::testing::Test {
 protected:
  Committee() : swarm({"v1", "v2", "v3", "v4", "v5", "v6"}, recipe()) {
    swarm.join({"t1", "t2"});
    swarm.start();
    to_score();
  }
  static Recipe recipe() {
    Recipe recipe = small_recipe();
    recipe.rounds = 50;
    recipe.judge.committee = 3;
    return recipe;
  }
  void to_score() {
    swarm.contribute({"t1", "t2"});
    swarm.tick_after(1);
  }
  bool drawn(const std::string& who) {
    return std::ranges::count(swarm.run().round.committee, swarm.id(who)) > 0;
  }
  Swarm swarm;
};

TEST_F(Committee, AloneScores) {
  EXPECT_EQ(swarm.run().round.committee.size(), 3u);
  for (const std::string& who : swarm.validator_names) {
    const Outcome outcome = swarm.give_score(who, swarm.score());
    if (drawn(who)) {
      EXPECT_EQ(outcome.reason, "") << who;
    } else if (swarm.run().phase == Phase::score) {
      EXPECT_THAT(outcome.reason, HasSubstr("not drawn to score")) << who;
    }
  }
  EXPECT_EQ(swarm.run().phase, Phase::closing);
  EXPECT_EQ(swarm.run().round.scores.size(), 3u);
}

TEST_F(Committee, IsDrawnAnewEachRound) {
  std::set<std::vector<KeyId>> committees;
  std::set<KeyId> seen;
  for (int round = 0; round < 12; ++round) {
    committees.insert(swarm.run().round.committee);
    seen.insert(swarm.run().round.committee.begin(), swarm.run().round.committee.end());
    for (const std::string& who : swarm.validator_names) {
      if (drawn(who)) swarm.give_score(who, swarm.score());
    }
    ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
    to_score();
  }
  EXPECT_GT(committees.size(), 4u);
  EXPECT_EQ(seen.size(), 6u);
}

// A majority of the committee decides at the deadline; without one, any validator may help out.
TEST_F(Committee, ThatDoesNotComeIsReplaced) {
  std::vector<std::string> others;
  std::string member;
  for (const std::string& who : swarm.validator_names) {
    if (drawn(who)) {
      member = who;
    } else {
      others.push_back(who);
    }
  }
  swarm.give_score(member, swarm.score());
  const std::int64_t deadline = *swarm.run().deadline_ms();
  EXPECT_FALSE(swarm.run().tick_would_open(deadline - 1, swarm.state.now_ms()));
  EXPECT_TRUE(swarm.run().tick_would_open(deadline, swarm.state.now_ms()));
  swarm.tick(deadline);
  EXPECT_EQ(swarm.run().phase, Phase::score);
  EXPECT_FALSE(swarm.run().tick_would_open(deadline + 1, swarm.state.now_ms()));
  EXPECT_EQ(swarm.give_score(others[0], swarm.score()).reason, "");
  swarm.tick_after(1);
  EXPECT_EQ(swarm.run().phase, Phase::closing);
}

TEST_F(Committee, IsWithoutLiars) {
  RunState run = swarm.run();
  const std::vector<KeyId> committee = run.round.committee;
  const Digest seed = *run.round.score_seed;
  EXPECT_EQ(draw_committee(run, seed), committee);
  run.liars[committee[0]] = {};
  EXPECT_EQ(run.scorers(), (std::vector<KeyId>{committee[1], committee[2]}));
  EXPECT_FALSE(run.may_score(committee[0], *run.deadline_ms()));
  const std::vector<KeyId> other = draw_committee(run, seed);
  EXPECT_EQ(other.size(), 3u);
  EXPECT_EQ(std::ranges::count(other, committee[0]), 0);
  // One score of two is no majority; two are.
  EXPECT_FALSE(run.tick_would_advance(*run.deadline_ms()));
  run.round.scores.push_back({});
  EXPECT_FALSE(run.tick_would_advance(*run.deadline_ms()));
  run.round.scores.push_back({});
  EXPECT_TRUE(run.tick_would_advance(*run.deadline_ms()));
  // Nobody of the committee is left: everybody else scores, as if there had been no draw.
  run.liars[committee[1]] = {};
  run.liars[committee[2]] = {};
  EXPECT_EQ(run.scorers(), run.acting_validators());
  EXPECT_EQ(run.scorers().size(), 3u);
  EXPECT_TRUE(run.may_score(run.scorers()[0], swarm.state.now_ms()));
  EXPECT_TRUE(draw_committee(run, seed).empty());  // three seats for three
}

TEST_F(Committee, DoesNotWaitForOneThatIsFoundOut) {
  RunState run = swarm.run();
  const std::vector<KeyId> committee = run.round.committee;
  for (const KeyId& key : {committee[0], committee[1]}) {
    run.round.scores.push_back({});
    run.round.scores.back().validator = key;
  }
  end_score_if_complete(run, {});
  EXPECT_EQ(run.phase, Phase::score);
  run.liars[committee[2]] = {};
  end_score_if_complete(run, {});
  EXPECT_EQ(run.phase, Phase::closing);
}

TEST(CommitteeOff, EveryListedValidatorScores) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  EXPECT_TRUE(swarm.run().round.committee.empty());
  for (const char* who : {"v1", "v2", "v3"})
    EXPECT_EQ(swarm.give_score(who, swarm.score()).reason, "");
  EXPECT_EQ(swarm.run().phase, Phase::closing);
}

TEST(DrawSome, TakesEachSetOnce) {
  const std::vector<KeyId> keys = {digest_of("a"), digest_of("b"), digest_of("c"), digest_of("d")};
  std::map<KeyId, int> often;
  for (int i = 0; i < 4000; ++i) {
    const std::vector<KeyId> drawn = draw_some(keys, 2, digest_of(std::to_string(i)));
    ASSERT_EQ(drawn.size(), 2u);
    ASSERT_NE(drawn[0], drawn[1]);
    for (const KeyId& key : drawn) ++often[key];
  }
  for (const KeyId& key : keys) EXPECT_NEAR(often[key], 2000, 150);
  EXPECT_EQ(draw_some(keys, 9, digest_of("x")).size(), 4u);
  EXPECT_TRUE(draw_some({}, 3, digest_of("x")).empty());
}

}  // namespace
}  // namespace harambee::fold

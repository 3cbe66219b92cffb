// Who is excluded, and who never is.
#include <gtest/gtest.h>

#include <numeric>

#include "base/rng.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

Recipe long_recipe() {
  Recipe recipe = small_recipe();
  recipe.rounds = 1000;
  recipe.checkpoint_every = 1000;
  return recipe;
}

class Standing : public ::testing::Test {
 protected:
  Standing() : swarm({"v1"}, long_recipe()) {
    swarm.join({"t1", "t2", "t3"});
    swarm.start();
  }
  void rounds(int count, const Swarm::Gains& gains) {
    for (int i = 0; i < count; ++i) swarm.play_round({"t1", "t2", "t3"}, gains);
  }
  // t3's blob is never there.
  void withheld_round() {
    swarm.contribute({"t1", "t2", "t3"});
    swarm.tick_after(8000);
    Score score = swarm.score();
    score.entries[2].verdict = "withheld";
    score.entries[2].gain_nanos = 0;
    swarm.give_score("v1", score);
    ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  }
  Swarm swarm;
};

TEST_F(Standing, SixRejectionsInARowWithNegativeGainsExclude) {
  rounds(5, {{"t3", -100}});
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
  EXPECT_EQ(swarm.member("t3").rejected_streak, 5);
  rounds(1, {{"t3", -100}});
  ASSERT_TRUE(swarm.member("t3").excluded.has_value());
  EXPECT_EQ(*swarm.member("t3").excluded,
            "rejected in 6 rounds in a row, and the last 6 gains sum to -0.0000006");
  EXPECT_EQ(swarm.member("t3").excluded_by.index, swarm.run().round.opened_index);
  EXPECT_EQ(swarm.run().round.waiting_for, 2);
}

TEST_F(Standing, TheExcludedCannotContributeNorJoinAgain) {
  rounds(6, {{"t3", -100}});
  const Outcome contribution = swarm.contribute("t3");
  EXPECT_EQ(contribution.effect, Effect::inert);
  EXPECT_THAT(contribution.reason, HasSubstr("excluded"));
  swarm.leave("t3");
  EXPECT_THAT(swarm.join("t3").reason, HasSubstr("excluded"));
  swarm.play_round({"t1", "t2"});
  EXPECT_TRUE(swarm.run().history.back().missed.empty());
}

TEST_F(Standing, AnAcceptedContributionEndsTheStreak) {
  rounds(5, {{"t3", -100}});
  rounds(1, {{"t3", 1}});
  EXPECT_EQ(swarm.member("t3").rejected_streak, 0);
  rounds(5, {{"t3", -100}});
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
}

TEST_F(Standing, GoodGainsOutweighAStreak) {
  rounds(1, {{"t3", 10'000}});
  rounds(10, {{"t3", -100}});
  EXPECT_EQ(swarm.member("t3").rejected_streak, 10);
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
  // The window is 16 rounds: when the good one has left it, the streak counts.
  rounds(5, {{"t3", -100}});
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
  rounds(1, {{"t3", -100}});
  EXPECT_TRUE(swarm.member("t3").excluded.has_value());
  EXPECT_EQ(swarm.member("t3").gains.size(), kGainsKept);
}

TEST_F(Standing, ARoundMostlyRejectedLengthensNobodysStreak) {
  rounds(20, {{"t2", -100}, {"t3", -100}});
  EXPECT_TRUE(swarm.run().history.back().mostly_rejected);
  EXPECT_EQ(swarm.member("t3").rejected_streak, 0);
  EXPECT_EQ(swarm.member("t3").rejected, 20);
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
  // One bad peer among three afterwards has to earn its own six.
  rounds(5, {{"t3", -100}});
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
  rounds(1, {{"t3", -100}});
  EXPECT_TRUE(swarm.member("t3").excluded.has_value());
  EXPECT_FALSE(swarm.member("t2").excluded.has_value());
}

TEST_F(Standing, HalfRejectedIsNotMost) {
  swarm.join({"t4"});
  for (int i = 0; i < 6; ++i) {
    swarm.play_round({"t1", "t2", "t3", "t4"}, {{"t3", -100}, {"t4", -100}});
  }
  EXPECT_TRUE(swarm.member("t3").excluded.has_value());
  EXPECT_TRUE(swarm.member("t4").excluded.has_value());
}

TEST_F(Standing, WithholdingForEverExcludes) {
  for (int i = 0; i < 6; ++i) withheld_round();
  EXPECT_TRUE(swarm.member("t3").excluded.has_value());
}

TEST_F(Standing, ABadConnectionAfterGoodWorkDoesNotExclude) {
  rounds(2, {});
  for (int i = 0; i < 12; ++i) withheld_round();
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
}

TEST_F(Standing, MissingRoundsIsNoRejection) {
  for (int i = 0; i < 20; ++i) swarm.play_round({"t1", "t2"});
  EXPECT_EQ(swarm.member("t3").rejected, 0);
  EXPECT_FALSE(swarm.member("t3").excluded.has_value());
}

// Whatever the others do and however noisy its own gains are: as long as what it measured in its
// last sixteen rounds sums to more than nothing, nobody is excluded.
TEST(StandingProperty, NobodyWithPositiveGainsIsExcluded) {
  for (int world = 0; world < 5; ++world) {
    Rng rng(digest_of("standing " + std::to_string(world)));
    Swarm swarm({"v1"}, long_recipe());
    const std::vector<std::string> people = {"t1", "t2", "t3", "t4", "t5"};
    for (const std::string& who : people) swarm.join(who);
    swarm.start();
    for (int round = 0; round < 60; ++round) {
      Swarm::Gains gains;
      for (const std::string& who : people) {
        if (swarm.member(who).excluded) continue;
        gains[who] = static_cast<std::int64_t>(rng.below(2000)) - 1200;
        ASSERT_EQ(swarm.contribute(who).reason, "");
      }
      if (gains.size() < 2) break;
      swarm.finish_round(gains);
      for (const std::string& who : people) {
        const Member& member = swarm.member(who);
        if (!member.excluded || member.excluded_by.index != swarm.run().history.back().close.index)
          continue;
        EXPECT_GE(member.rejected_streak, kRejectedRoundsMax);
        EXPECT_LT(std::accumulate(member.gains.begin(), member.gains.end(), std::int64_t{0}), 0);
      }
    }
  }
}

}  // namespace
}  // namespace harambee::fold

// Shared votes and newcomers' caps (spec/run.md §9): one test for each rule.
#include "fold/votes.h"

#include <gtest/gtest.h>

#include "fold/explain.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

Score grouped(Score score, const std::vector<std::int64_t>& groups) {
  for (std::size_t i = 0; i < groups.size(); ++i) score.entries[i].group = groups[i];
  return score;
}

class Votes : public ::testing::Test {
 protected:
  Votes() {
    swarm.join({"t1", "t2", "t3", "t4"});
    swarm.start();
    swarm.contribute({"t1", "t2", "t3", "t4"});
    swarm.tick_after(1);
  }
  void say(const std::vector<std::vector<std::int64_t>>& groups, const Swarm::Gains& gains = {}) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const std::string who = "v" + std::to_string(i + 1);
      ASSERT_EQ(swarm.give_score(who, grouped(swarm.score(gains), groups[i])).reason, "");
    }
  }
  std::vector<std::size_t> derived() {
    std::vector<std::size_t> groups;
    for (const Verdict& verdict : derive(swarm.run()).verdicts) groups.push_back(verdict.group);
    return groups;
  }
  Swarm swarm;
};

TEST_F(Votes, AreSharedByWhatTheMajorityFindsAlike) {
  say({{0, 1, 0, 3}, {0, 1, 0, 3}, {0, 1, 2, 3}});
  EXPECT_THAT(derived(), ElementsAre(0, 1, 0, 3));
}

TEST_F(Votes, AMinorityTiesNobody) {
  say({{0, 0, 0, 0}, {0, 1, 2, 3}, {0, 1, 2, 3}});
  EXPECT_THAT(derived(), ElementsAre(0, 1, 2, 3));
}

TEST_F(Votes, ThatCouldHaveBeenCountTheRefusedToo) {
  say({{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}}, {{"t1", -1}, {"t4", -1}});
  const Judgement judgement = derive(swarm.run());
  EXPECT_EQ(judgement.accepted.size(), 2u);
  EXPECT_EQ(judgement.possible, 4 * std::uint64_t{kFullVote});
}

TEST_F(Votes, ThatCouldHaveBeenAreOneForAGroup) {
  say({{0, 0, 0, 3}, {0, 0, 0, 3}, {0, 1, 2, 3}}, {{"t1", -1}, {"t2", -1}});
  EXPECT_EQ(derive(swarm.run()).possible, 2 * std::uint64_t{kFullVote});
}

// Two validators that each missed another blob name the group by other firsts.
TEST_F(Votes, TheNameOfAGroupDoesNotMatter) {
  say({{0, 1, 1, 1}, {0, 1, 1, 1}, {0, 0, 2, 2}});
  EXPECT_THAT(derived(), ElementsAre(0, 1, 1, 1));
}

TEST_F(Votes, ChainsOfPairsAreOneGroup) {
  say({{0, 0, 2, 2}, {0, 0, 0, 3}, {0, 1, 1, 1}});
  // (0,1) by v1 and v2, (2,3) by v1 and v3, (1,2) by v2 and v3.
  EXPECT_THAT(derived(), ElementsAre(0, 0, 0, 0));
}

TEST_F(Votes, TheFirstAcceptedOneNamesTheGroup) {
  const std::vector<std::int64_t> all = {0, 0, 0, 3};
  say({all, all, all}, {{"t1", -5}});
  EXPECT_THAT(derived(), ElementsAre(0, 1, 1, 3));
  ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  const ClosedRound& round = swarm.run().history[0];
  EXPECT_EQ(round.contributions[2].group, 1);
  // The trainers' 800 000 go to two groups.
  EXPECT_EQ(round.contributions[0].credit, MicroCredit(0));
  EXPECT_EQ(round.contributions[1].credit, MicroCredit(200'000));
  EXPECT_EQ(round.contributions[2].credit, MicroCredit(200'000));
  EXPECT_EQ(round.contributions[3].credit, MicroCredit(400'000));
}

// ---- newcomers

constexpr std::uint32_t kHalf = kFullVote / 2;

std::vector<std::uint32_t> caps(const RunState& run) {
  std::vector<std::uint32_t> standing;
  for (const Verdict& verdict : derive(run).verdicts) standing.push_back(verdict.standing);
  return standing;
}

TEST_F(Votes, AreFullWhereNobodyIsEstablished) {
  say({{0, 1, 2, 3}});
  EXPECT_THAT(caps(swarm.run()), ElementsAre(kFullVote, kFullVote, kFullVote, kFullVote));
}

class Newcomers : public ::testing::Test {
 protected:
  // t1 … t4 have three accepted contributions; `share` of the votes is for newcomers.
  explicit Newcomers(const Decimal& share = Decimal{200'000'000}) : swarm({"v1"}, recipe(share)) {
    swarm.join({"t1", "t2", "t3", "t4"});
    swarm.start();
    for (int round = 0; round < 3; ++round) swarm.play_round({"t1", "t2", "t3", "t4"});
    swarm.join({"n1", "n2", "n3"});
  }
  static Recipe recipe(const Decimal& share) {
    Recipe recipe = small_recipe();
    recipe.rounds = 10;
    recipe.judge.newcomer_rounds = 3;
    recipe.judge.newcomer_share = share;
    return recipe;
  }
  std::vector<std::uint32_t> caps_of(std::initializer_list<std::string> people,
                                     const std::vector<std::int64_t>& groups = {},
                                     const Swarm::Gains& gains = {}) {
    swarm.contribute(people);
    swarm.tick_after(swarm.run().recipe.commit_ms);
    EXPECT_EQ(swarm.give_score("v1", grouped(swarm.score(gains), groups)).reason, "");
    return caps(swarm.run());
  }
  Swarm swarm;
};

// s/(1 − s) = 1/4; four established, two newcomers: 1/4 · 4/2 = 1/2.
TEST_F(Newcomers, HaveASmallShareTogether) {
  EXPECT_THAT(caps_of({"t1", "n1", "t2", "n2", "t3", "t4"}),
              ElementsAre(kFullVote, kHalf, kFullVote, kHalf, kFullVote, kFullVote));
}

TEST_F(Newcomers, NeverHaveMoreThanOthers) {
  EXPECT_THAT(caps_of({"t1", "t2", "t3", "t4", "n1"}),
              ElementsAre(kFullVote, kFullVote, kFullVote, kFullVote, kFullVote));
}

// Established members that say the same count once, and so do newcomers.
TEST_F(Newcomers, AreCountedByGroups) {
  EXPECT_THAT(caps_of({"t1", "t2", "n1", "n2", "n3"}, {0, 0, 2, 2, 2}),
              ElementsAre(kFullVote, kFullVote, kFullVote / 4, kFullVote / 4, kFullVote / 4));
}

// Only votes that count are shared out: what is rejected has none.
TEST_F(Newcomers, OnlyTheAcceptedCount) {
  EXPECT_THAT(caps_of({"t1", "t2", "t3", "n1", "n2"}, {}, {{"t3", -1}, {"n2", -1}}),
              ElementsAre(kFullVote, kFullVote, 0, kHalf, 0));
}

TEST_F(Newcomers, AreNoneAfterEnoughAcceptedContributions) {
  swarm.join({"n4"});
  for (int round = 0; round < 3; ++round) swarm.play_round({"t1", "t2", "n4"});
  EXPECT_THAT(caps_of({"t1", "n4"}), ElementsAre(kFullVote, kFullVote));
}

TEST_F(Newcomers, TheRecordOfTheRoundKeepsTheCaps) {
  caps_of({"t1", "n1", "t2", "n2", "t3", "t4"});
  ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  EXPECT_EQ(swarm.run().history.back().contributions[1].standing, kHalf);
  const Explanation told = explain_peer(swarm.run(), swarm.id("n1")).value();
  EXPECT_THAT(to_text(told), HasSubstr("0.5 of a vote"));
}

TEST(NewcomersOff, EverybodyHasAFullVote) {
  Recipe recipe = small_recipe();
  recipe.judge.newcomer_rounds = 0;
  Swarm swarm({"v1"}, recipe);
  swarm.join({"t1"});
  swarm.join({"n1"});
  swarm.start();
  swarm.contribute({"t1", "n1"});
  swarm.tick_after(1);
  swarm.give_score("v1", swarm.score());
  EXPECT_THAT(caps(swarm.run()), ElementsAre(kFullVote, kFullVote));
}

// s = 0 silences newcomers while others are there; shares are rounded down.
TEST(NewcomersShare, IsRoundedDown) {
  for (const auto& [share, expected] :
       {std::pair<std::int64_t, std::uint32_t>{0, 0},
        {333'333'333, kFullVote / 2 - 1},  // just below s/(1 − s) = 1/2
        {999'999'999, kFullVote}}) {
    Recipe recipe = small_recipe();
    recipe.judge.newcomer_rounds = 1;
    recipe.judge.newcomer_share = Decimal{share};
    Swarm swarm({"v1"}, recipe);
    swarm.join({"t1", "n1"});
    swarm.start();
    swarm.play_round({"t1", "n1"}, {{"n1", -1}});
    swarm.contribute({"t1", "n1"});
    swarm.tick_after(1);
    swarm.give_score("v1", swarm.score());
    EXPECT_THAT(caps(swarm.run()), ElementsAre(kFullVote, expected)) << share;
  }
}

}  // namespace
}  // namespace harambee::fold

// When the loss has risen too far, the run goes back to the last good weights.
#include "fold/void_fold.h"

#include <gtest/gtest.h>

#include "fold/explain.h"
#include "fold/status.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

constexpr std::int64_t kGood = 2'450'000'000;
constexpr std::int64_t kRise = 500'000'000;

Recipe recipe_with(std::int64_t rise_nanos) {
  Recipe recipe = small_recipe();
  recipe.rounds = 10;
  recipe.checkpoint_every = 2;
  recipe.judge.void_rise = Decimal{rise_nanos};
  return recipe;
}

class VoidTest : public ::testing::Test {
 protected:
  explicit VoidTest(std::int64_t rise = kRise) : swarm({"v1", "v2", "v3"}, recipe_with(rise)) {
    swarm.join({"t1", "t2"});
    swarm.start();
  }
  // Up to the coordinator's turn, the validators reporting these losses of the round's base.
  void to_closing(const std::vector<std::int64_t>& losses) {
    swarm.contribute({"t1", "t2"});
    swarm.tick_after(1);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      Score score = swarm.score();
      score.loss_nanos = losses[i];
      EXPECT_EQ(swarm.give_score(swarm.validator_names[i], score).reason, "");
    }
    ASSERT_EQ(swarm.run().phase, Phase::closing);
  }
  void round(std::int64_t loss) {
    to_closing({loss, loss, loss});
    ASSERT_EQ(swarm.give_close(swarm.close()).reason, "");
  }
  Void back() {
    const std::optional<VoidDue> due = void_due(swarm.run());
    Void act{swarm.run_id, swarm.run().round.number, swarm.run().weights, {}, {}};
    if (!due) return act;
    act.weights = due->weights;
    act.residual = due->residual.value_or(digest_of("zeros"));
    if (swarm.run().recipe.checkpoint_due(act.round)) {
      act.checkpoint = BlobRef{act.weights, 100, std::string(kWeightsType)};
    }
    return act;
  }
  std::string say(const Void& act, const std::string& who = "coordinator") {
    return swarm.say(who, write(act)).reason;
  }
  Swarm swarm;
};

TEST_F(VoidTest, GoesBackToTheBaseOfTheRoundBefore) {
  round(kGood);
  const Digest good = swarm.run().weights;
  const Digest residual = *swarm.run().residual;
  const MicroCredit had = swarm.run().distributed;
  round(kGood);
  ASSERT_NE(swarm.run().weights, good);
  to_closing({kGood + kRise + 1, kGood + kRise + 1, kGood});
  const MicroCredit before = swarm.run().distributed;
  EXPECT_THAT(swarm.give_close(swarm.close()).reason, HasSubstr("only a void ends this round"));
  EXPECT_EQ(say(back()), "");
  EXPECT_EQ(swarm.run().weights, good);
  EXPECT_EQ(swarm.run().residual, residual);
  EXPECT_EQ(swarm.run().round.number, 3);
  EXPECT_EQ(swarm.run().phase, Phase::commit);
  EXPECT_EQ(swarm.run().distributed, before);
  EXPECT_GT(before, had);
  const ClosedRound& voided = swarm.run().history.back();
  EXPECT_TRUE(voided.voided);
  EXPECT_FALSE(voided.update);
  for (const ClosedContribution& one : voided.contributions) {
    EXPECT_FALSE(one.accepted);
    EXPECT_EQ(one.reason, "void: the loss rose to 2.950000001, the best was 2.45");
  }
  // Nobody is blamed.
  EXPECT_EQ(swarm.member("t1").rejected, 0);
  EXPECT_EQ(swarm.member("t1").gains.size(), 2u);
  // The checkpoint after round 1 held what was left.
  EXPECT_EQ(swarm.run().checkpoint_round, 0);
  EXPECT_EQ(swarm.run().checkpoint->digest, swarm.run().start->checkpoint.digest);
  // And on.
  round(kGood);
  EXPECT_EQ(swarm.run().history.back().base, good);
}

TEST_F(VoidTest, NeedsARiseOfMoreThanTheRule) {
  round(kGood);
  to_closing({kGood + kRise, kGood + kRise, kGood + kRise});
  EXPECT_EQ(say(back()), "the reported loss gives no reason to go back");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
}

TEST_F(VoidTest, TheMedianCountsNotALiar) {
  round(kGood);
  to_closing({9 * kGood, kGood, kGood});
  EXPECT_EQ(say(back()), "the reported loss gives no reason to go back");
}

TEST_F(VoidTest, TheBestLossSoFarIsTheMeasure) {
  round(kGood);
  round(kGood + kRise / 2);
  round(kGood + kRise / 2);
  to_closing({kGood + kRise + 1, kGood + kRise + 1, kGood + kRise + 1});
  EXPECT_EQ(say(back()), "");
}

TEST_F(VoidTest, IsTheCoordinatorsAndSaysWhatTheFoldSays) {
  round(kGood);
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back(), "v1"), "only the coordinator voids a round");
  Void wrong = back();
  wrong.weights = swarm.run().weights;
  EXPECT_EQ(say(wrong), "weights: not the last good ones");
  wrong = back();
  wrong.residual = digest_of("other");
  EXPECT_EQ(say(wrong), "residual: not the one of the last good weights");
  wrong = back();
  ++wrong.round;
  EXPECT_THAT(say(wrong), HasSubstr("is not open"));
  EXPECT_EQ(say(back()), "");
  EXPECT_EQ(say(back()), "the score phase has not ended");
}

// Weights that were good when they were new are not voided when they come back: the run goes on.
TEST_F(VoidTest, NeverTwiceInARow) {
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "");
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "the reported loss gives no reason to go back");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
}

TEST_F(VoidTest, TheFirstWeightsAreNeverVoided) {
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "the reported loss gives no reason to go back");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
}

class NoVoids : public VoidTest {
 protected:
  NoVoids() : VoidTest(0) {}
};

TEST_F(NoVoids, ZeroSwitchesThemOff) {
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "the reported loss gives no reason to go back");
}

// Two of three validators lie once: the loss of round 1 is said to be 0. Round 2 is voided for
// nothing; then the same weights are reported on again, and the lie counts no more.
TEST_F(VoidTest, AFalseLowLossCostsOneUpdate) {
  round(kGood);
  round(0);
  to_closing({kGood, kGood, kGood});
  EXPECT_EQ(say(back()), "");
  round(kGood);
  round(kGood);
  round(kGood + kRise);
  EXPECT_FALSE(swarm.run().history.back().voided);
}

// As long as nothing is accepted the base stays: there is no update to take back.
TEST_F(VoidTest, NeedsAnUpdateInTheRoundBefore) {
  round(kGood);
  round(kGood);
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  for (const std::string& name : swarm.validator_names) {
    EXPECT_EQ(swarm.give_score(name, swarm.score({{"t1", -5}, {"t2", -5}})).reason, "");
  }
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "the reported loss gives no reason to go back");
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
}

TEST_F(VoidTest, CarriesACheckpointWhereTheCloseWould) {
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  Void act = back();
  ASSERT_TRUE(act.checkpoint);
  act.checkpoint.reset();
  EXPECT_EQ(say(act), "blobs: this round's checkpoint is missing");
  EXPECT_EQ(say(back()), "");
  EXPECT_EQ(swarm.run().checkpoint_round, 2);
  EXPECT_EQ(swarm.run().checkpoint->digest, swarm.run().weights);
  EXPECT_FALSE(swarm.run().residual);  // as at the start: all zero
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "");
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  ASSERT_TRUE(back().checkpoint);
  act = back();
  act.checkpoint->digest = digest_of("other");
  EXPECT_EQ(say(act), "body.weights: must be the digest of the checkpoint blob");
  act = back();
  act.checkpoint->type = std::string(kUpdateType);
  EXPECT_THAT(say(act), HasSubstr("blobs[0].type"));
}

TEST_F(VoidTest, MayEndTheRun) {
  for (int i = 0; i < 9; ++i) round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "");
  EXPECT_EQ(swarm.run().phase, Phase::finished);
  EXPECT_EQ(swarm.run().weights, swarm.run().history[8].base);
  EXPECT_EQ(swarm.run().checkpoint->digest, swarm.run().weights);
}

TEST_F(VoidTest, IsExplained) {
  round(kGood);
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "");
  const auto text = [this](std::int64_t number) {
    return to_text(*explain_round(swarm.run(), number));
  };
  EXPECT_THAT(text(2), HasSubstr("void: the loss of its base, 22.05, was too far above the best"));
  EXPECT_THAT(text(2), HasSubstr("the step of round 1 is taken back: the weights are again"));
  EXPECT_THAT(text(1),
              HasSubstr("closed: 2 of 2 contributions accepted; the void of round 2 took"));
  EXPECT_THAT(text(1), HasSubstr("took this step back: the loss had risen to 22.05"));
  EXPECT_EQ(text(0).find("void"), std::string::npos);
  const std::string peer = to_text(*explain_peer(swarm.run(), swarm.id("t1")));
  EXPECT_THAT(peer, HasSubstr("the void of round 2 took it for nothing (void: the loss rose to "
                              "22.05, the best was 2.45), and changes nobody's standing"));
  const RunState& run = swarm.run();
  const auto said = [&run](std::size_t number, const char* what) {
    const Json row = closed_json(run, run.history[number]);
    return *row.find(what)->boolean();
  };
  EXPECT_TRUE(said(1, "taken_back"));
  EXPECT_FALSE(said(1, "voided"));
  EXPECT_TRUE(said(2, "voided"));
  EXPECT_FALSE(said(2, "taken_back"));
}

TEST_F(VoidTest, AnUndoneUpdateIsNoPreviousUpdate) {
  round(kGood);
  round(kGood);
  to_closing({9 * kGood, 9 * kGood, 9 * kGood});
  EXPECT_EQ(say(back()), "");
  ASSERT_NE(swarm.run().last_update(3), nullptr);
  EXPECT_EQ(swarm.run().last_update(3)->number, 0);
}

}  // namespace
}  // namespace harambee::fold

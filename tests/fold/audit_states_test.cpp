// The states that audited work starts from, and classes of which only those can be compared.
#include "tests/fold/audit_world.h"

namespace harambee::fold {
namespace {

class AuditStates : public AuditWorld {};

TEST_F(AuditStates, AShortChainNeedsNoStatesALongOneDoes) {
  for (int i = 0; i < kChainLinksMax; ++i) round();
  EXPECT_EQ(audit("ada", kChainLinksMax - 1).phase, AuditPhase::audit);
  round();
  EXPECT_EQ(of("ada", kChainLinksMax).links, kChainLinksMax + 1);
  EXPECT_EQ(audit("ada", kChainLinksMax).phase, AuditPhase::reveal);
  const std::string auditor = drawn(audit("ada", kChainLinksMax))[0];
  EXPECT_EQ(say(auditor, exact("ada", kChainLinksMax)),
            "the states before it are not revealed yet");
}

class LongChain : public AuditWorld {
 protected:
  LongChain() {
    for (int i = 0; i < kLast + 1; ++i) round();
  }
  static constexpr std::int64_t kLast = kChainLinksMax;  // the first round that needs states
};

TEST_F(LongChain, WhatIsRevealedMustBeWhatWasCommittedTo) {
  Reveal act = reveal("ada", kLast);
  act.states[0].digest = digest_of("other");
  EXPECT_THAT(swarm.say("ada", write(act)).reason, HasSubstr("not the states"));
  act = reveal("ada", kLast);
  act.states.pop_back();
  EXPECT_THAT(swarm.say("ada", write(act)).reason, HasSubstr("not the states"));
  EXPECT_THAT(swarm.say("ben", write(reveal("ada", kLast))).reason, HasSubstr("only its author"));
  EXPECT_EQ(swarm.say("ada", write(reveal("ada", kLast))).reason, "");
  EXPECT_EQ(audit("ada", kLast).phase, AuditPhase::audit);
  EXPECT_EQ(audit("ada", kLast).states.size(), 2u);
  EXPECT_EQ(swarm.say("ada", write(reveal("ada", kLast))).reason, "nobody waits for these states");
  for (const std::string& each : drawn(audit("ada", kLast))) {
    EXPECT_EQ(say(each, exact("ada", kLast)), "");
  }
  EXPECT_EQ(audit("ada", kLast).end, AuditEnd::passed);
}

TEST_F(LongChain, WhoDoesNotRevealIsSuspendedUntilItDoesAndNeverSlashed) {
  swarm.tick_after(patience());
  EXPECT_EQ(audit("ada", kLast).end, AuditEnd::withheld);
  ASSERT_TRUE(swarm.member("ada").suspended);
  EXPECT_THAT(*swarm.member("ada").suspended, HasSubstr("were not revealed"));
  EXPECT_FALSE(swarm.member("ada").slashed);
  EXPECT_FALSE(swarm.member("ada").excluded);
  EXPECT_EQ(run().forfeited, MicroCredit());
  EXPECT_EQ(swarm.say("ada", write(reveal("ada", kLast))).reason, "");
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_EQ(audit("ada", kLast).phase, AuditPhase::audit);
}

// The record names states that nobody can fetch.
TEST_F(LongChain, AuditorsSayWhenTheStatesCannotBeHad) {
  swarm.say("ada", write(reveal("ada", kLast)));
  Audit act = exact("ada", kLast);
  act.result = AuditResult::withheld;
  act.made.reset();
  const auto auditors = drawn(audit("ada", kLast));
  EXPECT_EQ(say(auditors[0], act), "");
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_EQ(say(auditors[1], act), "");
  EXPECT_EQ(audit("ada", kLast).end, AuditEnd::withheld);
  EXPECT_TRUE(swarm.member("ada").suspended);
  // Revealed once more, they are asked once more.
  EXPECT_EQ(swarm.say("ada", write(reveal("ada", kLast))).reason, "");
  EXPECT_FALSE(swarm.member("ada").suspended);
  for (const std::string& each : auditors) EXPECT_EQ(say(each, exact("ada", kLast)), "");
  EXPECT_EQ(audit("ada", kLast).end, AuditEnd::passed);
}

TEST_F(LongChain, OnlyUnsettledCreditIsForfeited) {
  while (run().history.size() < 20) {
    for (const char* who : {"ada", "ben", "eve"}) {
      const auto number = static_cast<std::int64_t>(run().history.size()) - 1;
      swarm.say(who, write(reveal(who, number)));
    }
    round();
  }
  const std::int64_t newest = 19;
  swarm.say("eve", write(reveal("eve", newest)));
  for (const char* each : {"v1", "v2", "v3"}) EXPECT_EQ(say(each, differs("eve", "x", newest)), "");
  ASSERT_TRUE(swarm.member("eve").slashed);
  for (std::int64_t number = 0; number <= newest; ++number) {
    const bool settled = newest - number >= kUnsettledRounds;
    EXPECT_EQ(of("eve", number).credit == MicroCredit(), !settled) << number;
    EXPECT_EQ(of("eve", number).forfeited != MicroCredit(), !settled) << number;
  }
  expect_credits_add_up();
}

// What the convicted has in the open round earns nothing.

// ── Inexact classes ──

class Tolerant : public AuditWorld {
 protected:
  static Recipe recipe() {
    Recipe recipe = audited_recipe();
    recipe.inner.steps = kToleranceStepsMin;
    return recipe;
  }
  Tolerant() : AuditWorld({"v1", "v2", "v3"}, recipe()) {
    swarm.leave("eve");
    swarm.join("eve", "torch-2");
    swarm.contribute({"ada", "ben", "eve"});
    swarm.finish_round();
    swarm.tick_after(1);
  }
  Reveal fresh_reveal() {
    const ClosedContribution& one = of("eve");
    return {swarm.run_id,
            0,
            one.place.id,
            {{one.error_feedback.after, 100, std::string(kErrorFeedbackType)}}};
  }
  Audit found(AuditResult result) {
    const bool near = result == AuditResult::near;
    return {swarm.run_id,
            0,
            of("eve").place.id,
            result,
            {},
            Decimal{near ? 999'000'000 : 175'000'000},
            Decimal{near ? 30'000'000 : 1'300'000'000}};
  }
};

TEST_F(Tolerant, SuspendsButNeverSlashes) {
  EXPECT_EQ(audit("eve").phase, AuditPhase::reveal);
  EXPECT_EQ(swarm.say("eve", write(fresh_reveal())).reason, "");
  for (const char* each : {"v1", "v2", "v3"}) {
    const std::string objection = say(each, found(AuditResult::far));
    if (audit("eve").phase == AuditPhase::ended) break;
    EXPECT_EQ(objection, audit("eve").asks(swarm.id(each)) ? "" : objection);
  }
  EXPECT_EQ(audit("eve").end, AuditEnd::accused);
  EXPECT_THAT(audit("eve").reason, HasSubstr("no proof"));
  ASSERT_TRUE(swarm.member("eve").suspended);
  EXPECT_THAT(*swarm.member("eve").suspended, HasSubstr("came far from"));
  EXPECT_FALSE(swarm.member("eve").slashed);
  EXPECT_EQ(run().forfeited, MicroCredit());
  EXPECT_TRUE(run().liars.empty());
}

// Honest work would be called far: nobody may have its author suspended that way.
class FewSteps : public AuditWorld {
 protected:
  FewSteps() : AuditWorld({"v1", "v2", "v3"}) {
    swarm.leave("eve");
    swarm.join("eve", "torch-2");
    swarm.contribute({"ada", "ben", "eve"});
    swarm.finish_round();
    swarm.tick_after(1);
  }
};

TEST_F(FewSteps, NobodyDisputesWhatCannotBeCompared) {
  ASSERT_LT(run().recipe.inner.steps, kToleranceStepsMin);
  EXPECT_EQ(run().audit_of(of("eve").author, of("eve").place.id), nullptr);
  EXPECT_THAT(dispute("ben", "eve").reason, HasSubstr("cannot be compared"));
  EXPECT_EQ(run().audit_of(of("eve").author, of("eve").place.id), nullptr);
}

// What the numbers say and what the word says is one thing.
TEST_F(Tolerant, NearAndFarAreWhatTheNumbersSay) {
  EXPECT_EQ(swarm.say("eve", write(fresh_reveal())).reason, "");
  const std::string first = drawn(audit("eve"))[0];
  const auto with = [&](AuditResult result, std::int64_t cosine, std::int64_t distance) {
    Audit act = found(result);
    act.cosine = Decimal{cosine};
    act.distance = Decimal{distance};
    return say(first, act);
  };
  for (const auto& [cosine, distance] : {std::pair{989'999'999, 0}, {1'000'000'000, 100'000'001}}) {
    EXPECT_THAT(with(AuditResult::near, cosine, distance), HasSubstr("must be near exactly if"));
  }
  EXPECT_THAT(with(AuditResult::far, 990'000'000, 100'000'000), HasSubstr("must be near exactly"));
  EXPECT_EQ(with(AuditResult::near, 990'000'000, 100'000'000), "");
}

TEST_F(Tolerant, NamesNobodyALiar) {
  EXPECT_EQ(swarm.say("eve", write(fresh_reveal())).reason, "");
  const std::string first = drawn(audit("eve"))[0];
  EXPECT_EQ(say(first, found(AuditResult::far)), "");
  EXPECT_TRUE(swarm.member("eve").suspended);
  for (const std::string& each : swarm.validator_names) {
    if (each != first) say(each, found(AuditResult::near));
  }
  EXPECT_EQ(audit("eve").end, AuditEnd::cleared);
  EXPECT_FALSE(swarm.member("eve").suspended);
  EXPECT_TRUE(run().liars.empty());
}

}  // namespace
}  // namespace harambee::fold

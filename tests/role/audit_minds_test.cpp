// What the log wants of auditors and of those who are audited.
#include <gtest/gtest.h>

#include "fold/audit_acts.h"
#include "role/auditor.h"
#include "role/trainer.h"
#include "tests/fold/log_builder.h"

namespace harambee::role {
namespace {

using fold::testing::digest_of;
using fold::testing::Swarm;

fold::Recipe audited() {
  fold::Recipe recipe = fold::testing::small_recipe();
  recipe.rounds = 100;
  recipe.checkpoint_every = 100;
  recipe.judge.auditors = 1;
  recipe.judge.audit = recipe.judge.audit_newcomer = Decimal{1'000'000'000};
  return recipe;
}

class AuditMinds : public ::testing::Test {
 protected:
  AuditMinds() : swarm({"v1", "v2"}, audited()) {
    swarm.join({"ada", "ben"});
    swarm.start();
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      swarm.play_round({"ada", "ben"});
      swarm.tick_after(1);
    }
  }
  const fold::AuditCase& newest_of(const std::string& who) {
    const fold::AuditCase* found = nullptr;
    for (const fold::AuditCase& audit : swarm.run().audits) {
      if (audit.author == swarm.id(who)) found = &audit;
    }
    EXPECT_NE(found, nullptr);
    return *found;
  }
  std::string auditor_of(const fold::AuditCase& audit) {
    return audit.asks(swarm.id("v1")) ? "v1" : "v2";
  }
  auditor::Action decide(const std::string& who, const AuditorFacts& facts = {"exact-1", {}}) {
    return decide_auditor(swarm.run(), swarm.id(who), facts);
  }
  trainer::Action train(const std::string& who, TrainerFacts facts = {}) {
    return decide_trainer(swarm.state, swarm.run(), swarm.id(who), facts);
  }
  Swarm swarm;
};

TEST_F(AuditMinds, AnAuditorRepeatsWhatItIsAskedForOnce) {
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(decide("v1")));
  rounds(1);
  const fold::AuditCase audit = newest_of("ada");
  const std::string who = auditor_of(audit);
  const auto action = decide(who);
  const auto* repeat = std::get_if<auditor::Repeat>(&action);
  ASSERT_NE(repeat, nullptr);
  EXPECT_EQ(repeat->round, 0);
  EXPECT_TRUE(repeat->states.empty());
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(decide("ada")));
  const AuditorFacts done{"exact-1",
                          {newest_of("ada").contribution.id, newest_of("ben").contribution.id}};
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(decide(who, done)));
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(decide(who, {"torch-2", {}})));
}

// Of an inexact class it repeats what it has a program for, once the states are there.
TEST_F(AuditMinds, AnInexactClassNeedsAProgramForIt) {
  fold::Recipe recipe = audited();
  recipe.inner.steps = fold::kToleranceStepsMin;
  Swarm other({"v1"}, recipe);
  other.join("ada");
  other.join("wob", "wobbly-1");
  other.start();
  other.play_round({"ada", "wob"});
  other.tick_after(1);
  const fold::AuditCase* audit = nullptr;
  for (const fold::AuditCase& each : other.run().audits) {
    if (each.author == other.id("wob")) audit = &each;
  }
  ASSERT_NE(audit, nullptr);
  const auto& one = *other.run().closed_contribution(0, audit->contribution.id);
  const fold::Reveal act{other.run_id,
                         0,
                         one.place.id,
                         {{one.error_feedback.after, 1, std::string(fold::kErrorFeedbackType)}}};
  ASSERT_EQ(other.say("wob", write(act)).reason, "");
  const auto asked = [&](std::set<std::string> inexact) {
    AuditorFacts facts{
        "torch-2", {}, std::move(inexact)};  // no exact trainer: ada is not its affair
    return decide_auditor(other.run(), other.id("v1"), facts);
  };
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(asked({})));
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(asked({"torch-2"})));
  const auto action = asked({"torch-2", "wobbly-1"});
  const auto* repeat = std::get_if<auditor::Repeat>(&action);
  ASSERT_NE(repeat, nullptr);
  EXPECT_EQ(repeat->contribution, one.place.id);
  EXPECT_EQ(repeat->numeric_class, "wobbly-1");
}

TEST_F(AuditMinds, AnsweredAuditsAreDone) {
  rounds(1);
  for (const fold::AuditCase& audit : std::vector(swarm.run().audits)) {
    const fold::ClosedContribution& one =
        *swarm.run().closed_contribution(audit.round, audit.contribution.id);
    const fold::Audit act{
        swarm.run_id,
        audit.round,
        one.place.id,
        fold::AuditResult::exact,
        fold::Replica{one.delta.digest, one.error_feedback.after, one.optimizer.after},
        {},
        {}};
    EXPECT_EQ(swarm.say(auditor_of(audit), write(act)).reason, "");
  }
  for (const char* who : {"v1", "v2"}) {
    EXPECT_TRUE(std::holds_alternative<auditor::Idle>(decide(who)));
  }
}

TEST_F(AuditMinds, AnAuditorWaitsForStatesAndThenTakesThem) {
  rounds(static_cast<int>(fold::kChainLinksMax) + 1);
  const fold::AuditCase audit = newest_of("ada");
  ASSERT_EQ(audit.phase, fold::AuditPhase::reveal);
  AuditorFacts facts{"exact-1", {}};
  for (const fold::AuditCase& other : swarm.run().audits) {
    if (other.contribution.id != audit.contribution.id) {
      facts.given_up.insert(other.contribution.id);
    }
  }
  EXPECT_TRUE(std::holds_alternative<auditor::Idle>(decide(auditor_of(audit), facts)));

  // Its author is wanted before anything else.
  const auto wanted = train("ada");
  const auto* reveal = std::get_if<trainer::RevealStates>(&wanted);
  ASSERT_NE(reveal, nullptr);
  EXPECT_EQ(reveal->contribution, audit.contribution.id);
  EXPECT_FALSE(reveal->named);
  ASSERT_TRUE(reveal->error_feedback && reveal->optimizer);
  EXPECT_FALSE(reveal->error_feedback_after);
  const fold::Reveal act{swarm.run_id,
                         reveal->round,
                         reveal->contribution,
                         {{*reveal->error_feedback, 1, std::string(fold::kErrorFeedbackType)},
                          {*reveal->optimizer, 1, std::string(fold::kOptimizerType)}}};
  EXPECT_EQ(swarm.say("ada", write(act)).reason, "");

  // The record is there, the upload may not be: a restart makes sure of it.
  const auto upload = train("ada");
  ASSERT_TRUE(std::holds_alternative<trainer::RevealStates>(upload));
  EXPECT_TRUE(std::get<trainer::RevealStates>(upload).named);
  TrainerFacts uploaded;
  uploaded.states_done.insert(audit.contribution.id);
  EXPECT_TRUE(std::holds_alternative<trainer::Train>(train("ada", uploaded)));

  const auto action = decide(auditor_of(audit), facts);
  ASSERT_TRUE(std::holds_alternative<auditor::Repeat>(action));
  EXPECT_EQ(std::get<auditor::Repeat>(action).states.size(), 2u);
}

TEST_F(AuditMinds, TheSuspendedWaits) {
  rounds(1);
  const fold::AuditCase audit = newest_of("ada");
  fold::Audit act{swarm.run_id,
                  0,
                  audit.contribution.id,
                  fold::AuditResult::differs,
                  fold::Replica{digest_of("a"), digest_of("b"), digest_of("c")},
                  {},
                  {}};
  EXPECT_EQ(swarm.say(auditor_of(audit), write(act)).reason, "");
  const auto action = train("ada");
  ASSERT_TRUE(std::holds_alternative<trainer::Wait>(action));
  EXPECT_NE(std::get<trainer::Wait>(action).text().find("suspended"), std::string::npos);
}

TEST_F(AuditMinds, TheAccusedAsksForMoreEyesOnce) {
  rounds(1);
  const fold::AuditCase audit = newest_of("ada");
  const fold::Audit act{swarm.run_id,
                        0,
                        audit.contribution.id,
                        fold::AuditResult::differs,
                        fold::Replica{digest_of("a"), digest_of("b"), digest_of("c")},
                        {},
                        {}};
  EXPECT_EQ(swarm.say(auditor_of(audit), write(act)).reason, "");
  swarm.tick_after(fold::audit_patience_ms(swarm.run().recipe));
  ASSERT_EQ(newest_of("ada").end, fold::AuditEnd::accused);
  const auto action = train("ada");
  ASSERT_TRUE(std::holds_alternative<trainer::Dispute>(action));
  EXPECT_EQ(std::get<trainer::Dispute>(action).contribution, audit.contribution.id);
  TrainerFacts sent;
  sent.disputed.insert(audit.contribution.id);
  EXPECT_TRUE(std::holds_alternative<trainer::Train>(train("ada", sent)) ||
              std::holds_alternative<trainer::Wait>(train("ada", sent)));
  EXPECT_EQ(swarm.say("ada", write(fold::Dispute{swarm.run_id, 0, audit.contribution.id})).reason,
            "");
  EXPECT_FALSE(std::holds_alternative<trainer::Dispute>(train("ada")));
}

}  // namespace
}  // namespace harambee::role

// A run whose contributions are audited, and what its people say.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fold/explain.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {

using testing::blob;
using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

constexpr Decimal kAlways{1'000'000'000};

inline Recipe audited_recipe() {
  Recipe recipe = small_recipe();
  recipe.rounds = 100;
  recipe.checkpoint_every = 100;
  recipe.judge.auditors = 2;
  recipe.judge.audit = kAlways;
  recipe.judge.audit_newcomer = kAlways;
  recipe.judge.newcomer_rounds = 0;
  return recipe;
}

// A run whose every accepted contribution is audited, unless a test says otherwise.
class AuditWorld : public ::testing::Test {
 protected:
  explicit AuditWorld(std::vector<std::string> validators = {"v1", "v2", "v3", "v4", "v5"},
                      const Recipe& recipe = audited_recipe())
      : swarm(std::move(validators), recipe) {
    swarm.join({"ada", "ben", "eve"});
    swarm.start();
  }
  const RunState& run() const { return swarm.run(); }
  // A round of all three, and the tick that draws its audits.
  void round() {
    swarm.play_round({"ada", "ben", "eve"});
    swarm.tick_after(1);
  }
  const ClosedContribution& of(const std::string& who, std::int64_t number = 0) {
    for (const auto& one : run().history[static_cast<std::size_t>(number)].contributions) {
      if (one.author == swarm.id(who)) return one;
    }
    ADD_FAILURE() << who << " has nothing in round " << number;
    return run().history[0].contributions[0];
  }
  const AuditCase& audit(const std::string& who, std::int64_t number = 0) {
    const ClosedContribution& one = of(who, number);
    const AuditCase* found = run().audit_of(one.author, one.place.id);
    EXPECT_NE(found, nullptr) << who;
    return found ? *found : run().audits.at(0);
  }
  Audit exact(const std::string& who, std::int64_t number = 0) {
    const ClosedContribution& one = of(who, number);
    return {swarm.run_id,
            number,
            one.place.id,
            AuditResult::exact,
            Replica{one.delta.digest, one.error_feedback.after, one.optimizer.after},
            {},
            {}};
  }
  // `made` tells differing auditors apart: whoever says the same word made the same bytes.
  Audit differs(const std::string& who, const std::string& made = "truth",
                std::int64_t number = 0) {
    Audit act = exact(who, number);
    act.result = AuditResult::differs;
    act.made->delta = digest_of(made);
    return act;
  }
  std::string say(const std::string& auditor, const Audit& act) {
    return swarm.say(auditor, write(act)).reason;
  }
  // Names of those who were drawn for a case.
  std::vector<std::string> drawn(const AuditCase& one) {
    std::vector<std::string> names;
    for (const KeyId& key : one.auditors) {
      for (const std::string& name : swarm.validator_names) {
        if (swarm.id(name) == key) names.push_back(name);
      }
    }
    return names;
  }
  std::string undrawn(const AuditCase& one) {
    for (const std::string& name : swarm.validator_names) {
      if (!one.asks(swarm.id(name))) return name;
    }
    ADD_FAILURE();
    return "";
  }
  Outcome dispute(const std::string& by, const std::string& who, std::int64_t number = 0) {
    return swarm.say(by, write(Dispute{swarm.run_id, number, of(who, number).place.id}));
  }
  Reveal reveal(const std::string& who, std::int64_t number) {
    const ClosedContribution& one = of(who, number);
    return {swarm.run_id,
            number,
            one.place.id,
            {{*one.error_feedback.before, 100, std::string(kErrorFeedbackType)},
             {*one.optimizer.before, 200, std::string(kOptimizerType)}}};
  }
  std::int64_t patience() const {
    const Recipe& recipe = run().recipe;
    return 4 * (recipe.commit_ms + recipe.reveal_ms + recipe.score_ms);
  }
  std::string verdict(const std::string& who) {
    return to_text(*explain_peer(run(), swarm.id(who)));
  }
  void expect_credits_add_up() const {
    MicroCredit sum;
    for (const auto& [key, amount] : run().credits) {
      EXPECT_GE(amount.micros(), 0);
      sum += amount;
    }
    EXPECT_EQ(sum, run().distributed);
    const auto paid =
        static_cast<std::int64_t>(run().history.size()) * run().recipe.credit.round.micros();
    EXPECT_EQ((run().distributed + run().forfeited).micros(), paid);
  }

  Swarm swarm;
};

}  // namespace harambee::fold

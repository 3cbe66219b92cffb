// Random swarms: people join, leave, miss rounds, lie and talk nonsense, and what must always hold
// still holds after every entry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/rng.h"
#include "fold/void_fold.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using testing::small_recipe;
using testing::Swarm;

void check_audits(const RunState& run) {
  std::set<KeyId> suspended;
  for (std::size_t i = 0; i < run.audits.size(); ++i) {
    const AuditCase& audit = run.audits[i];
    const bool open = std::ranges::find(run.open_audits, i) != run.open_audits.end();
    ASSERT_EQ(open, audit.phase != AuditPhase::ended);
    ASSERT_EQ(open, audit.end == AuditEnd::none);
    if (audit.suspends()) suspended.insert(audit.author);
    std::size_t same = 0;
    for (const AuditAnswer& answer : audit.answers) {
      ASSERT_TRUE(audit.asks(answer.auditor));
      ASSERT_NE(answer.auditor, audit.author);
      if (answer.act.result != AuditResult::differs) continue;
      std::size_t alike = 0;
      for (const AuditAnswer& other : audit.answers) alike += other.act.made == answer.act.made;
      same = std::max(same, alike);
    }
    // The only way to be slashed.
    if (audit.end != AuditEnd::convicted) continue;
    ASSERT_GE(same, 2u);
    ASSERT_GT(2 * same, audit.auditors.size());
    ASSERT_TRUE(run.member(audit.author)->slashed);
  }
  for (const Member& member : run.members) {
    const KeyId& key = member.key;
    std::vector<std::uint32_t> audits;
    for (std::size_t i = 0; i < run.audits.size(); ++i) {
      if (run.audits[i].author == key) audits.push_back(static_cast<std::uint32_t>(i));
    }
    ASSERT_EQ(member.audits, audits);
    ASSERT_EQ(member.suspended.has_value(), suspended.contains(key));
    if (!member.slashed) continue;
    ASSERT_TRUE(member.excluded.has_value());
    ASSERT_TRUE(std::ranges::any_of(run.audits, [&key](const AuditCase& audit) {
      return audit.author == key && audit.end == AuditEnd::convicted;
    }));
  }
  ASSERT_FALSE(run.acting_validators().empty());
}

// Voids: counted again from the rounds alone.
void check_voids(const RunState& run) {
  std::optional<std::int64_t> best;  // of those that no void can take back any more
  std::optional<BlobRef> checkpoint = run.start ? run.start->checkpoint : std::optional<BlobRef>();
  std::int64_t checkpoint_round = 0;
  for (std::size_t i = 0; i < run.history.size(); ++i) {
    const ClosedRound& round = run.history[i];
    const bool last = i + 1 == run.history.size();
    const bool gone = !last && run.history[i + 1].voided;
    ASSERT_EQ(run.undone(i), gone);
    ASSERT_EQ(round.checkpoint.has_value(), run.recipe.checkpoint_due(round.number));
    if (round.checkpoint && !gone) {
      checkpoint = round.checkpoint;
      checkpoint_round = round.number + 1;
    }
    if (round.voided) {
      ASSERT_GT(i, 0u);
      ASSERT_TRUE(run.history[i - 1].update.has_value());
      ASSERT_EQ(round.weights, run.history[i - 1].base);
      const std::int64_t measure =
          std::min(best.value_or(*run.history[i - 1].loss_nanos), *run.history[i - 1].loss_nanos);
      ASSERT_GT(*round.loss_nanos, measure + run.recipe.judge.void_rise.nanos);
    }
    if (round.update && !gone && !last) {
      best = std::min(best.value_or(*round.loss_nanos), *round.loss_nanos);
    }
  }
  ASSERT_EQ(run.best_loss_nanos, best);
  ASSERT_EQ(run.checkpoint_round, checkpoint_round);
  ASSERT_EQ(run.checkpoint, checkpoint);
}

void check_invariants(const RunState& run) {
  // Credits: the table, the rounds and the rule agree to the last micro-credit.
  MicroCredit table;
  for (const auto& [key, amount] : run.credits) table += amount;
  ASSERT_EQ(table, run.distributed);
  MicroCredit paid;
  std::int64_t paying_rounds = 0;
  for (const ClosedRound& round : run.history) {
    bool accepted = false;
    for (const ClosedContribution& one : round.contributions) {
      paid += one.credit;
      accepted = accepted || one.accepted;
      ASSERT_TRUE(one.accepted || one.credit == MicroCredit());
      ASSERT_EQ(one.accepted, one.reason.empty());
    }
    for (const ClosedScore& one : round.scores) paid += one.credit;
    paid += round.coordinator_credit;
    paying_rounds += accepted ? 1 : 0;
    ASSERT_EQ(round.update.has_value(), accepted);
  }
  ASSERT_EQ(paid, run.distributed);
  ASSERT_EQ((run.distributed + run.forfeited).micros(),
            paying_rounds * run.recipe.credit.round.micros());
  MicroCredit forfeited;
  for (const ClosedRound& round : run.history) {
    for (const ClosedContribution& one : round.contributions) {
      forfeited += one.forfeited;
      ASSERT_TRUE(one.forfeited == MicroCredit() || one.credit == MicroCredit());
    }
  }
  ASSERT_EQ(forfeited, run.forfeited);
  for (const auto& [key, amount] : run.credits) ASSERT_GE(amount.micros(), 0);
  check_audits(run);
  check_voids(run);

  // Rounds follow each other, weights too.
  for (std::size_t i = 0; i < run.history.size(); ++i) {
    ASSERT_EQ(run.history[i].number, static_cast<std::int64_t>(i));
    const Digest next = i + 1 < run.history.size() ? run.history[i + 1].base : run.weights;
    ASSERT_EQ(run.history[i].weights, next);
  }

  // The kept number of awaited members is the counted one; nobody contributes twice.
  if (run.phase == Phase::commit) {
    std::int64_t waiting = 0;
    for (const Member& member : run.members) {
      waiting += run.expects(member) && !run.contribution_of(member.key) ? 1 : 0;
      ASSERT_EQ(run.has_contributed(member), run.contribution_of(member.key) != nullptr);
    }
    ASSERT_EQ(waiting, run.round.waiting_for);
  }
  std::set<KeyId> authors;
  for (const Committed& committed : run.round.contributions) {
    ASSERT_TRUE(authors.insert(committed.author).second);
    ASSERT_EQ(committed.act.base, run.weights);
  }
  ASSERT_EQ(run.members.size(), run.members.by_key().size());
  for (const auto& [key, ordinal] : run.members.by_key()) {
    ASSERT_EQ(run.members[ordinal].key, key);
    ASSERT_EQ(run.members[ordinal].ordinal, ordinal);
  }
}

class World {
 public:
  explicit World(const std::string& seed)
      : rng_(digest_of(seed)), swarm_({"v1", "v2", "v3"}, recipe()) {
    swarm_.join({"p0", "p1"});
    swarm_.start();
  }
  void step() {
    act();
    check_invariants(swarm_.run());
  }
  const Swarm& swarm() const { return swarm_; }

 private:
  static Recipe recipe() {
    Recipe recipe = small_recipe();
    recipe.rounds = 30;
    recipe.checkpoint_every = 3;
    recipe.credit.round = MicroCredit(1'000'003);  // divides badly
    recipe.judge.auditors = 2;
    recipe.judge.audit = Decimal{500'000'000};
    recipe.judge.audit_newcomer = Decimal{800'000'000};
    recipe.judge.newcomer_rounds = 2;
    return recipe;
  }
  bool chance(std::uint64_t percent) { return rng_.below(100) < percent; }
  std::string anybody() { return "p" + std::to_string(rng_.below(8)); }

  void act() {
    switch (rng_.below(12)) {
      case 0:
        swarm_.join(anybody());
        return;
      case 1:
        if (chance(20)) swarm_.leave(anybody());
        return;
      case 2:
      case 3:
      case 4:
        contribute();
        return;
      case 5:
        swarm_.tick_after(1 + static_cast<std::int64_t>(rng_.below(chance(10) ? 200'000 : 9000)));
        return;
      case 6:
      case 7:
        score();
        return;
      case 8:
        close();
        return;
      default:
        audit();
        return;
    }
  }
  // Anybody says anything of some contribution: auditors err, lie, agree or do not.
  void audit() {
    const RunState& run = swarm_.run();
    if (run.history.empty()) return;
    const bool asked = !run.audits.empty() && chance(70);
    std::int64_t number = static_cast<std::int64_t>(rng_.below(run.history.size()));
    const ClosedContribution* one = nullptr;
    if (asked) {
      const AuditCase& audit = run.audits[rng_.below(run.audits.size())];
      number = audit.round;
      one = run.closed_contribution(number, audit.contribution.id);
    } else {
      const ClosedRound& round = run.history[static_cast<std::size_t>(number)];
      if (round.contributions.empty()) return;
      one = &round.contributions[rng_.below(round.contributions.size())];
    }
    if (chance(20)) {
      swarm_.say(anybody(), write(Dispute{run.id, number, one->place.id}));
      return;
    }
    if (chance(8)) {
      reveal(*one, number);
      return;
    }
    Audit act{run.id, number, one->place.id, AuditResult::exact, {}, {}, {}};
    act.made = Replica{one->delta.digest, one->error_feedback.after, one->optimizer.after};
    if (chance(15)) {
      act.result = AuditResult::differs;
      act.made->delta = digest_of(chance(80) ? "truth" : "lie");
    } else if (chance(10)) {
      act.result = AuditResult::withheld;
      act.made.reset();
    }
    swarm_.say("v" + std::to_string(1 + rng_.below(3)), write(act));
  }
  void reveal(const ClosedContribution& one, std::int64_t number) {
    Reveal act{swarm_.run_id, number, one.place.id, {}};
    if (one.error_feedback.before) {
      act.states.push_back({*one.error_feedback.before, 9, std::string(kErrorFeedbackType)});
    }
    if (one.optimizer.before) {
      act.states.push_back({*one.optimizer.before, 9, std::string(kOptimizerType)});
    }
    if (act.states.empty()) return;
    for (int i = 0; i < 8; ++i) {
      const std::string who = "p" + std::to_string(i);
      if (swarm_.id(who) == one.author) swarm_.say(who, write(act));
    }
  }
  void contribute() {
    Contribution act = swarm_.contribution(anybody());
    if (chance(5)) act.base = digest_of("wrong");
    if (chance(5)) act.round += 1;
    if (chance(5)) act.error_feedback.before = digest_of("wrong");
    swarm_.say(anybody(), write(act));
  }
  void score() {
    Score act = swarm_.score();
    for (ScoreEntry& entry : act.entries) {
      entry.gain_nanos = static_cast<std::int64_t>(rng_.below(1000)) - 450;
      if (chance(80)) continue;
      entry.verdict = chance(50) ? "withheld" : "malformed: x";
      entry.gain_nanos = 0;
    }
    if (chance(5) && !act.entries.empty()) act.entries.pop_back();
    if (act.round % 2 == 1 && chance(80)) *act.loss_nanos += 600'000'000;
    swarm_.give_score("v" + std::to_string(1 + rng_.below(3)), act);
  }
  void go_back(const VoidDue& due) {
    Void act{swarm_.run_id, swarm_.run().round.number, due.weights, {}, {}};
    act.residual = due.residual.value_or(digest_of("zeros"));
    if (swarm_.run().recipe.checkpoint_due(act.round) != chance(5)) {
      act.checkpoint = BlobRef{act.weights, 100, std::string(kWeightsType)};
    }
    if (chance(5)) act.residual = digest_of("wrong");
    if (chance(5)) act.round += 1;
    swarm_.say(chance(90) ? "coordinator" : anybody(), write(act));
  }
  void close() {
    if (swarm_.run().phase != Phase::closing && chance(90)) return;
    if (const auto due = void_due(swarm_.run()); due && chance(80)) return go_back(*due);
    Close act = swarm_.close();
    if (chance(10) && !act.accepted.empty()) act.accepted.pop_back();
    if (chance(10)) act.update.reset();
    swarm_.give_close(act);
  }

  Rng rng_;
  Swarm swarm_;
};

TEST(World, KeepsItsInvariantsWhateverPeopleSay) {
  std::size_t closed = 0;
  std::size_t liars = 0;
  std::size_t voided = 0;
  std::map<AuditEnd, int> ends;
  for (int i = 0; i < 48; ++i) {
    World world("world " + std::to_string(i));
    for (int step = 0; step < 600; ++step) {
      world.step();
      if (::testing::Test::HasFatalFailure()) FAIL() << "world " << i << ", step " << step;
    }
    const RunState& run = world.swarm().run();
    closed += run.history.size();
    voided += static_cast<std::size_t>(
        std::ranges::count_if(run.history, [](const ClosedRound& round) { return round.voided; }));
    for (const AuditCase& audit : run.audits) ++ends[audit.end];
    liars += run.liars.size();
  }
  for (const AuditEnd end :
       {AuditEnd::passed, AuditEnd::accused, AuditEnd::cleared, AuditEnd::convicted}) {
    EXPECT_GT(ends[end], 0) << name(end);
  }
  EXPECT_GT(liars, 0u);
  EXPECT_GT(voided, 4u);
  EXPECT_GT(closed, 40u);  // the worlds do get somewhere
}

}  // namespace
}  // namespace harambee::fold

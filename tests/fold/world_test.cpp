// Random swarms: people join, leave, miss rounds, lie and talk nonsense, and what must always hold
// still holds after every entry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/rng.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using testing::small_recipe;
using testing::Swarm;

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
  ASSERT_EQ(run.distributed.micros(), paying_rounds * run.recipe.credit.round.micros());

  // Rounds follow each other, weights too.
  for (std::size_t i = 0; i < run.history.size(); ++i) {
    ASSERT_EQ(run.history[i].number, static_cast<std::int64_t>(i));
    const Digest next = i + 1 < run.history.size() ? run.history[i + 1].base : run.weights;
    ASSERT_EQ(run.history[i].weights, next);
  }

  // The kept number of awaited members is the counted one; nobody contributes twice.
  if (run.phase == Phase::commit) {
    std::int64_t waiting = 0;
    for (const auto& [key, member] : run.members) {
      waiting += run.expects(member) && !run.contribution_of(key) ? 1 : 0;
    }
    ASSERT_EQ(waiting, run.round.waiting_for);
  }
  std::set<KeyId> authors;
  for (const Committed& committed : run.round.contributions) {
    ASSERT_TRUE(authors.insert(committed.author).second);
    ASSERT_EQ(committed.act.base, run.weights);
  }
  ASSERT_EQ(run.members.size(), run.member_order.size());
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
    return recipe;
  }
  bool chance(std::uint64_t percent) { return rng_.below(100) < percent; }
  std::string anybody() { return "p" + std::to_string(rng_.below(8)); }

  void act() {
    switch (rng_.below(9)) {
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
        swarm_.tick_after(1 + static_cast<std::int64_t>(rng_.below(9000)));
        return;
      case 6:
      case 7:
        score();
        return;
      default:
        close();
        return;
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
    swarm_.give_score("v" + std::to_string(1 + rng_.below(3)), act);
  }
  void close() {
    if (swarm_.run().phase != Phase::closing && chance(90)) return;
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
  for (int i = 0; i < 8; ++i) {
    World world("world " + std::to_string(i));
    for (int step = 0; step < 600; ++step) {
      world.step();
      if (::testing::Test::HasFatalFailure()) FAIL() << "world " << i << ", step " << step;
    }
    closed += world.swarm().run().history.size();
  }
  EXPECT_GT(closed, 40u);  // the worlds do get somewhere
}

}  // namespace
}  // namespace harambee::fold

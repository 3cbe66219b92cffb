#include "fold/close_fold.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/decimal.h"
#include "base/mutant.h"
#include "fold/audit_fold.h"

namespace harambee::fold {

Objection close_objection(const RunState& run, const Judgement& judgement, const Close& act) {
  if (const std::optional<VoidDue> due = void_due(run)) {
    return void_text(*due) + ": only a void ends this round";
  }
  if (act.accepted != judgement.accepted) return "accepted: not the set that the scores give";
  if (act.update.has_value() == act.accepted.empty()) {
    return act.update ? "blobs: an update, though nothing was accepted"
                      : "blobs: the update is missing";
  }
  const bool due = run.recipe.checkpoint_due(act.round);
  if (act.checkpoint.has_value() != due) {
    return due ? "blobs: this round's checkpoint is missing"
               : "blobs: no checkpoint is due in this round";
  }
  if (!act.accepted.empty()) return std::nullopt;
  if (act.weights != run.weights) return "weights: changed, though nothing was accepted";
  if (run.residual && act.residual != *run.residual) {
    return "residual: changed, though nothing was accepted";
  }
  return std::nullopt;
}

ClosedRound closed_round(const RunState& run, const Context& context, const Judgement& judgement,
                         const Close& act) {
  const RoundState& round = run.round;
  ClosedRound closed;
  closed.number = round.number;
  closed.opened_index = round.opened_index;
  closed.opened_ms = round.opened_ms;
  closed.close = context.place;
  closed.closed_ms = context.now_ms;
  closed.base = run.weights;
  closed.score_seed = *round.score_seed;
  for (std::size_t i = 0; i < round.contributions.size(); ++i) {
    const Committed& committed = round.contributions[i];
    const Verdict& verdict = judgement.verdicts[i];
    ClosedContribution one;
    one.place = committed.place;
    one.author = committed.author;
    one.delta = committed.act.delta;
    one.accepted = verdict.accepted;
    one.reason = verdict.reason;
    one.gain_nanos = verdict.gain_nanos;
    one.domain = committed.act.domain;
    one.domain_gains = verdict.domain_gains;
    one.counted_nanos = verdict.counted_nanos;
    one.own_nanos = verdict.own_nanos;
    one.idle = verdict.idle;
    one.group = static_cast<std::int64_t>(verdict.group);
    one.standing = verdict.standing;
    one.loss_first_nanos = committed.act.loss_first_nanos;
    one.loss_last_nanos = committed.act.loss_last_nanos;
    one.tokens = committed.act.tokens;
    one.numeric_class = committed.act.numeric_class;
    one.error_feedback = committed.act.error_feedback;
    one.optimizer = committed.act.optimizer;
    one.links = committed.links;
    closed.contributions.push_back(std::move(one));
  }
  for (const Scored& scored : round.scores) {
    closed.scores.push_back({scored.place, scored.validator, scored.act.loss_nanos, {}});
  }
  closed.missed = run.missed;
  closed.loss_nanos = judgement.loss_nanos;
  closed.possible = judgement.possible;
  closed.mostly_rejected = judgement.mostly_rejected;
  closed.update = act.update;
  closed.checkpoint = act.checkpoint;
  closed.weights = act.weights;
  closed.residual = act.residual;
  return closed;
}

namespace {

void pay(RunState& run, const KeyId& key, MicroCredit amount) {
  if (amount == MicroCredit()) return;
  run.credits[key] += amount;
  run.distributed += amount;
}

// spec/credit.md. Nothing is distributed when nothing was accepted.
void pay_round(RunState& run, ClosedRound& closed) {
  std::vector<std::size_t> groups;
  for (const ClosedContribution& one : closed.contributions) {
    if (one.accepted) groups.push_back(static_cast<std::size_t>(one.group));
  }
  if (groups.empty()) return;
  const RoundCredits credits = split_round(run.recipe.credit, groups, closed.scores.size());
  std::size_t next = 0;
  for (ClosedContribution& one : closed.contributions) {
    if (!one.accepted) continue;
    one.credit = credits.trainers[next++];
    run.members.at(one.author).credit += one.credit;
    pay(run, one.author, one.credit);
  }
  for (std::size_t i = 0; i < closed.scores.size(); ++i) {
    closed.scores[i].credit = credits.validators[i];
    pay(run, closed.scores[i].validator, credits.validators[i]);
  }
  closed.coordinator_credit = credits.coordinator;
  pay(run, run.coordinator, credits.coordinator);
}

// Many rejections in a row and gains that sum to less than nothing: both, so that neither bad luck
// nor a few bad validators exclude anybody (spec/run.md §7). What would have been accepted, but for
// a domain that it harms or for its author's being idle, costs its round's credit and no more.
void update_standing(Member& member, const ClosedContribution& one, bool mostly_rejected,
                     const Place& close) {
  member.gains.push_back(one.counted_nanos);
  if (member.gains.size() > kGainsKept) member.gains.erase(member.gains.begin());
  if (one.accepted) {
    ++member.accepted;
    member.tokens += one.tokens;
    member.rejected_streak = 0;
    return;
  }
  ++member.rejected;
  const bool of_use = one.counted_nanos > 0 && !HARAMBEE_MUTANT("guard-excludes");
  if (one.idle || of_use) return;
  if (mostly_rejected && !HARAMBEE_MUTANT("bad-rounds-count")) return;
  ++member.rejected_streak;
  const std::int64_t sum =
      std::accumulate(member.gains.begin(), member.gains.end(), std::int64_t{0});
  const bool good = sum >= 0 && !HARAMBEE_MUTANT("harsh-exclusion");
  if (member.rejected_streak < kRejectedRoundsMax || good || member.excluded) return;
  member.excluded = "rejected in " + std::to_string(member.rejected_streak) +
                    " rounds in a row, and the last " + std::to_string(member.gains.size()) +
                    " gains sum to " + Decimal{sum}.str();
  member.excluded_by = close;
}

}  // namespace

void settle(RunState& run, const Context& context, const Judgement& judgement, const Close& act) {
  HARAMBEE_CHECK(run.phase == Phase::closing);
  ClosedRound closed = closed_round(run, context, judgement, act);
  pay_round(run, closed);
  for (ClosedContribution& one : closed.contributions) {
    Member& member = run.members.at(one.author);
    if (member.slashed) forfeit(run, one);
    const std::int64_t window = run.recipe.judge.own_rounds;
    if (window > 0 && one.own_nanos) remember_own(member.own, window, *one.own_nanos);
    update_standing(member, one, closed.mostly_rejected, context.place);
  }
  run.weights = act.weights;
  run.residual = act.residual;
  if (act.checkpoint) {
    run.checkpoint = act.checkpoint;
    run.checkpoint_round = act.round + 1;
  }
  if (!run.history.empty() && run.history.back().update && run.history.back().loss_nanos) {
    // No void can take it back any more.
    const std::int64_t loss = *run.history.back().loss_nanos;
    run.best_loss_nanos = std::min(run.best_loss_nanos.value_or(loss), loss);
  }
  run.history.push_back(std::move(closed));
}

}  // namespace harambee::fold

#include "fold/void_fold.h"

#include <algorithm>

#include "base/check.h"
#include "base/decimal.h"
#include "base/mutant.h"
#include "fold/act_frame.h"
#include "fold/close_fold.h"
#include "fold/judge.h"

namespace harambee::fold {

Payload write(const Void& act) {
  Payload payload = frame("void", act.run, act.round,
                          {{"residual", act.residual.hex()}, {"weights", act.weights.hex()}});
  if (act.checkpoint) payload.blobs = {*act.checkpoint};
  return payload;
}

Result<Void> parse_void(const Payload& payload) {
  if (const Status status = check_frame(payload, "void", Belongs::to_round); !status) {
    return status.error();
  }
  if (!payload.blobs.empty()) {
    if (const Status status = check_blobs(payload, {kWeightsType}); !status) return status.error();
  }
  Fields fields(payload.body, "body");
  Void act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.residual = fields.digest("residual");
  act.weights = fields.digest("weights");
  if (const Status status = fields.finish(); !status) return status.error();
  if (!payload.blobs.empty()) act.checkpoint = payload.blobs[0];
  if (act.checkpoint && act.checkpoint->digest != act.weights) {
    return invalid("body.weights: must be the digest of the checkpoint blob");
  }
  return act;
}

std::optional<VoidDue> void_due(const RunState& run) {
  const std::int64_t rise = run.recipe.judge.void_rise.nanos;
  if (rise == 0 || run.phase != Phase::closing || run.history.empty()) return std::nullopt;
  const ClosedRound& before = run.history.back();
  // Nothing has moved since its own base was looked at, or since the last void.
  if (before.voided || !before.update || HARAMBEE_MUTANT("no-way-back")) return std::nullopt;
  HARAMBEE_CHECK(before.loss_nanos && !run.round.scores.empty());  // no phase ends without a score
  const std::int64_t loss = *reported_loss(run.round);
  const std::int64_t best =
      std::min(run.best_loss_nanos.value_or(*before.loss_nanos), *before.loss_nanos);
  if (loss <= best + rise) return std::nullopt;
  VoidDue due{loss, best, before.base, {}};
  if (run.history.size() >= 2) due.residual = run.history[run.history.size() - 2].residual;
  return due;
}

std::string void_text(const VoidDue& due) {
  return "the loss rose to " + Decimal{due.loss_nanos}.str() + ", the best was " +
         Decimal{due.best_nanos}.str();
}

Objection void_objection(const RunState& run, const Void& act) {
  const std::optional<VoidDue> due = void_due(run);
  if (!due) return "the reported loss gives no reason to go back";
  if (act.weights != due->weights) return "weights: not the last good ones";
  if (due->residual && act.residual != *due->residual) {
    return "residual: not the one of the last good weights";
  }
  const bool checkpoint_due = run.recipe.checkpoint_due(act.round);
  if (act.checkpoint.has_value() != checkpoint_due) {
    return checkpoint_due ? "blobs: this round's checkpoint is missing"
                          : "blobs: no checkpoint is due in this round";
  }
  return std::nullopt;
}

namespace {

// The newest checkpoint of weights that count.
void find_checkpoint(RunState& run) {
  run.checkpoint = run.start->checkpoint;
  run.checkpoint_round = 0;
  for (std::size_t r = run.history.size(); r-- > 0;) {
    if (!run.history[r].checkpoint || run.undone(r)) continue;
    run.checkpoint = run.history[r].checkpoint;
    run.checkpoint_round = static_cast<std::int64_t>(r) + 1;
    return;
  }
}

}  // namespace

void settle_void(RunState& run, const Context& context, const Void& act) {
  const VoidDue due = *void_due(run);
  Judgement nobody = derive(run);
  nobody.accepted.clear();
  const std::string reason = "void: " + void_text(due);
  for (Verdict& verdict : nobody.verdicts) {
    if (!verdict.accepted) continue;  // its own reason stands
    verdict.accepted = false;
    verdict.standing = 0;
    verdict.reason = reason;
  }
  Close end;
  end.weights = act.weights;
  end.residual = act.residual;
  end.checkpoint = act.checkpoint;
  ClosedRound closed = closed_round(run, context, nobody, end);
  closed.voided = true;
  if (HARAMBEE_MUTANT("taken-back-counts")) run.best_loss_nanos = due.best_nanos;
  run.history.push_back(std::move(closed));
  if (!HARAMBEE_MUTANT("void-stays")) run.weights = act.weights;
  run.residual = due.residual;
  if (act.checkpoint) {
    run.checkpoint = act.checkpoint;
    run.checkpoint_round = act.round + 1;
  } else if (run.checkpoint_round == act.round) {
    // It held the weights that are left now: the newest before it that are not.
    find_checkpoint(run);
  }
}

}  // namespace harambee::fold

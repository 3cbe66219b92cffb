// The rules of audits: who is drawn, what answers mean, suspension, conviction, liars
// (spec/audit.md). Private to the room.
#pragma once

#include "fold/audit_acts.h"
#include "fold/run_fold.h"

namespace harambee::fold {

[[nodiscard]] Objection take(RunState& run, const Context& context, const Audit& act);
[[nodiscard]] Objection take(RunState& run, const Context& context, const Reveal& act);
[[nodiscard]] Objection take(RunState& run, const Context& context, const Dispute& act);

// Takes an author's credit for a contribution of a closed round back.
void forfeit(RunState& run, ClosedContribution& one);

// Whether a tick has audits to draw: a round has closed since the last one.
[[nodiscard]] bool audits_are_due(const RunState& run);
void draw_audits(RunState& run, const Context& context, const Digest& log_root);
// Ends the audits that have run out of time at this tick.
void expire_audits(RunState& run, const Context& context);

template <typename LogRoot>
void tick_audits(RunState& run, const Context& context, LogRoot&& log_root) {
  if (audits_are_due(run)) draw_audits(run, context, log_root());
  expire_audits(run, context);
}

}  // namespace harambee::fold

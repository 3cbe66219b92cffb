// A run as people and scripts see it: `harambee status --json`.
#pragma once

#include "base/json.h"
#include "fold/state.h"

namespace harambee::fold {

// Fields: checkpoint, checkpoint_round, closed (one object a closed round: number, loss_nanos,
// accepted, contributions, missed, closed_ms, weights), coordinator, credits_micros (by key id),
// deadline_ms (of the phase, or null), distributed_micros, log_ms, log_size, loss_nanos (of the
// last closed round, or null), maintainer, members, name, open (the open round, or null), origin,
// phase, refusals_count, round (the open one), rounds, run,
// validators, weights. Integers, strings and nulls only.
[[nodiscard]] Json status_json(const LogState& log, const RunState& run);

}  // namespace harambee::fold

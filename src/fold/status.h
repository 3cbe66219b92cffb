// A run as people and scripts see it: `harambee status --json` (spec/run.md §8).
#pragma once

#include "base/json.h"
#include "fold/state.h"

namespace harambee::fold {

// Fields: run, name, origin, log_size, log_ms, phase, round, rounds, opened_ms, deadline_ms,
// weights, checkpoint, loss_nanos (of the last closed round), losses (one per closed round or
// null), members, contributions and scores of the open round, credits, distributed_micros,
// refusals_count. Integers and strings only.
[[nodiscard]] Json status_json(const LogState& log, const RunState& run);

}  // namespace harambee::fold

// A run as people and scripts see it: `harambee status --json`, and the hub's views.
#pragma once

#include "base/json.h"
#include "fold/state.h"

namespace harambee::fold {

// Fields: baselines (baseline.h), checkpoint, checkpoint_round, closed (one object a closed round:
// number, loss_nanos, accepted, contributions, missed, closed_ms, voided, taken_back (by the next
// round, a void), weights), coordinator, credits_micros (by key id), deadline_ms (of the phase, or
// null), distributed_micros, log_ms, log_size, loss_nanos (of the last closed round, or null),
// maintainer, members, name, open (the open round, or null), origin, parent (name and rounds
// of the run that it is a fork of, or null), phase, refusals_count, round
// (the open one), rounds, run, validators, weights. Integers, strings and nulls only.
[[nodiscard]] Json status_json(const LogState& log, const RunState& run);

// Its parts. The run's baselines in log order (baseline.h).
[[nodiscard]] Json baselines_json(const RunState& run);
// One member; the open round (meaningful while one is open); one closed round in short.
[[nodiscard]] Json member_json(const RunState& run, const Member& member);
[[nodiscard]] Json open_round_json(const RunState& run);
[[nodiscard]] Json closed_json(const RunState& run, const ClosedRound& round);

}  // namespace harambee::fold

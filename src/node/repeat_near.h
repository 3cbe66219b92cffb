// As repeat.h, for classes whose numbers depend on the machine: what comes out is how near.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "fold/audit_acts.h"
#include "fold/state.h"
#include "node/repeat.h"

namespace harambee::node {

// The audit record's content for a contribution of an inexact class that a closed round has
// accepted; world.trainer is of that class. `states`: what its author has revealed, all of it.
// Both pseudo-gradients are compared, and what was sent with what the codec sends of it; the worse
// numbers are said. Before `far` the work is done twice, and must come out near itself. An
// optimizer state that the trainer twice refuses is left away (spec/audit.md §6). not_found: a
// state cannot be had (now). Every other error is this machine's or its trainer's, and accuses
// nobody: unavailable, invalid, refused, cancelled, io.
[[nodiscard]] Result<fold::Audit> repeat_nearly(const fold::RunState& run, std::int64_t round,
                                                const RecordId& contribution,
                                                const std::vector<BlobRef>& states,
                                                const RepeatWorld& world);

}  // namespace harambee::node

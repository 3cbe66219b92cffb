// What the answers of an audit mean, and what follows. Private to the room.
#pragma once

#include "fold/run_fold.h"

namespace harambee::fold {

// Ends the case if its answers decide it, or, with `late`, with the answers that there are; then
// brings the author's standing in line. `position` is the case's in run.audits.
void decide_audit(RunState& run, const Context& context, std::size_t position, bool late);
// Ends it otherwise.
void end_audit(RunState& run, const Context& context, std::size_t position, AuditEnd end,
               std::string reason);
// Suspends a member, or lets it go on, as its audits are now.
void refresh_suspension(RunState& run, const KeyId& author);

}  // namespace harambee::fold

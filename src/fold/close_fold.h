// What a close does: whether it is right, and its consequences for credit and standing.
// Private to the room.
#pragma once

#include "fold/judge.h"
#include "fold/run_fold.h"

namespace harambee::fold {

// Why this close is not the one that the fold derives.
[[nodiscard]] Objection close_objection(const RunState& run, const Judgement& judgement,
                                        const Close& act);

// Credits, standing, history, the new weights. The round is still the closed one afterwards.
void settle(RunState& run, const Context& context, const Judgement& judgement, const Close& act);

}  // namespace harambee::fold

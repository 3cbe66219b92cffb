// What a close does: whether it is right, and its consequences for credit and standing.
// Private to the room.
#pragma once

#include "fold/judge.h"
#include "fold/run_fold.h"
#include "fold/void_fold.h"

namespace harambee::fold {

// What history keeps of the open round.
[[nodiscard]] ClosedRound closed_round(const RunState& run, const Context& context,
                                       const Judgement& judgement, const Close& act);

// Why this close is not the one that the fold derives.
[[nodiscard]] Objection close_objection(const RunState& run, const Judgement& judgement,
                                        const Close& act);

// Credits, standing, history, the new weights. The round is still the closed one afterwards.
void settle(RunState& run, const Context& context, const Judgement& judgement, const Close& act);

// Why this void is none, and what it does: nobody earns, nobody's standing changes, the weights are
// those of the round before.
[[nodiscard]] Objection void_objection(const RunState& run, const Void& act);
void settle_void(RunState& run, const Context& context, const Void& act);

}  // namespace harambee::fold

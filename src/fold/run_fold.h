// The rules of one run: apply() dispatches here. Private to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fold/acts.h"
#include "fold/state.h"
#include "fold/void_fold.h"

namespace harambee::fold {

// Who says something, where in the log, and at what log time.
struct Context {
  Place place;
  KeyId author;
  std::int64_t now_ms = 0;
};

// Why an act changes nothing; none: it was applied.
using Objection = std::optional<std::string>;

[[nodiscard]] RunState opened_run(const Context& context, OpenRun act);

// One rule a kind; each looks first and changes the state only if it does not object.
[[nodiscard]] Objection take(RunState& run, const Context& context, const Start& act);
[[nodiscard]] Objection take(RunState& run, const Context& context, const Join& act);
[[nodiscard]] Objection take(RunState& run, const Context& context, const Leave& act);
[[nodiscard]] Objection take(RunState& run, const Context& context, Contribution act);
[[nodiscard]] Objection take(RunState& run, const Context& context, Score act);
[[nodiscard]] Objection take(RunState& run, const Context& context, const Close& act);
[[nodiscard]] Objection take(RunState& run, const Context& context, const Void& act);

// Ends the phase if this tick does (`context` is the tick's). `log_root` gives the root of the
// log up to and including the tick; it is asked only when a commit phase ends.
template <typename LogRoot>
void tick(RunState& run, const Context& context, LogRoot&& log_root);

// The two ends that a tick can bring.
void end_commit(RunState& run, const Context& context, const Digest& log_root);
void end_score(RunState& run, const Context& context);
// Ends the score phase if everybody who scores has.
void end_score_if_complete(RunState& run, const Context& context);

template <typename LogRoot>
void tick(RunState& run, const Context& context, LogRoot&& log_root) {
  if (!run.tick_would_advance(context.now_ms)) return;
  if (run.phase == Phase::commit) {
    end_commit(run, context, log_root());
  } else {
    end_score(run, context);
  }
}

}  // namespace harambee::fold

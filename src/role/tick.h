// When somebody should ask the hub for a tick.
#pragma once

#include <cstdint>
#include <optional>

#include "fold/state.h"

namespace harambee::role {

// What a process knows about time. A wall clock that is wrong only makes deadlines late or early
// here; what counts is the tick that the hub logs.
struct TickFacts {
  std::int64_t now_ms = 0;                    // log_time()
  std::optional<std::int64_t> asked_ms = {};  // log_time() when a tick was last asked for
};

// Log time as far as somebody can tell who has known the newest tick for `known_ms`: the wall
// clock, unless the log is ahead of it. A hub whose clock ran ahead for a while leaves the log
// there, and deadlines are in log time; by the wall clock alone a run would stand still until it
// has caught up.
[[nodiscard]] std::int64_t log_time(const fold::LogState& log, std::int64_t wall_ms,
                                    std::int64_t known_ms);

// Whether a tick now would end the current phase of the run. Not more often than the hub grants
// ticks.
[[nodiscard]] bool tick_is_wanted(const fold::LogState& log, const fold::RunState& run,
                                  const TickFacts& facts);

}  // namespace harambee::role

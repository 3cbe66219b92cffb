// When somebody should ask the hub for a tick.
#pragma once

#include <cstdint>
#include <optional>

#include "fold/state.h"

namespace harambee::role {

// What a process knows about time. A wall clock that is wrong only makes deadlines late or early
// here; what counts is the tick that the hub logs.
struct TickFacts {
  std::int64_t now_ms = 0;                    // wall clock, unix
  std::optional<std::int64_t> asked_ms = {};  // wall clock when a tick was last asked for
};

// Whether a tick now would end the current phase of the run. Not more often than the hub grants
// ticks.
[[nodiscard]] bool tick_is_wanted(const fold::LogState& log, const fold::RunState& run,
                                  const TickFacts& facts);

}  // namespace harambee::role

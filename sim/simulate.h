// A whole network of peers in one thread, from one seed (docs/simulator.md).
#pragma once

#include "sim/options.h"
#include "sim/report.h"

namespace harambee::sim {

// One simulation. `line` (may be empty) gets one line an event of the log. The same config gives
// the same summary on every machine.
[[nodiscard]] Summary simulate(const Config& config, const Report::Line& line = {});
// The same; each twentieth seed is run twice, and a difference is a violation.
[[nodiscard]] Summary simulate_checked(const Config& config, const Report::Line& line = {});
// The command that repeats it.
[[nodiscard]] std::string replay_command(const Config& config);

}  // namespace harambee::sim

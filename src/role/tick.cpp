#include "role/tick.h"

#include <algorithm>

#include "base/mutant.h"

namespace harambee::role {

std::int64_t log_time(const fold::LogState& log, std::int64_t wall_ms, std::int64_t known_ms) {
  if (HARAMBEE_MUTANT("wall-clock-keeper")) return wall_ms;
  return std::max(wall_ms, log.now_ms() + known_ms);
}

bool tick_is_wanted(const fold::LogState& log, const fold::RunState& run, const TickFacts& facts) {
  if (facts.asked_ms) {
    // A clock that was set back must not silence us: then the distance is negative.
    const std::int64_t since_ms = facts.now_ms - *facts.asked_ms;
    if (since_ms >= 0 && since_ms < log.tick_ms) return false;
  }
  return run.tick_would_advance(facts.now_ms) || run.tick_would_open(facts.now_ms, log.now_ms());
}

}  // namespace harambee::role

// Which run another one began from.
#pragma once

#include <cstdint>
#include <optional>

#include "fold/state.h"

namespace harambee::fold {

struct Parent {
  RecordId run;
  std::int64_t rounds = 0;  // that had led to the weights: the first time the log has them
};
// The run of this log whose weights `run` began with, if they were on the log before it started and
// are another run's. Linear in the rounds of the log.
[[nodiscard]] std::optional<Parent> parent_of(const LogState& log, const RunState& run);

}  // namespace harambee::fold

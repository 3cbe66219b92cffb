// A coordinator's machine: when the fold says that a round can be closed, aggregates the accepted
// contributions, takes the outer step, and posts the close record. It decides nothing: what it
// posts must equal what everybody derives, and it can be rebuilt from the log at any time.
// In `dir`: as volunteer.h, with residual.<64 hex> (the exact f32 bytes of what the way down still
// owes), and what coordinator_samples.h keeps.
#pragma once

#include "base/result.h"
#include "node/observer.h"
#include "node/role_options.h"
#include "node/sampler.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::node {

struct CoordinatorOptions {
  RoleOptions role;  // the trainer writes samples, on one thread; no round needs it
  SampleRule samples = {};
};

// Ends like run_volunteer(). refused: the key is not the run's coordinator.
[[nodiscard]] Result<Stats> run_coordinator(const CoordinatorOptions& options, Wire& wire,
                                            Clock& clock, const Observer& observer);

}  // namespace harambee::node

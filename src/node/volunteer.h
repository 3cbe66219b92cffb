// A volunteer's machine: joins a run and, round after round, trains on its shards, commits to a
// compressed pseudo-gradient, reveals it, and applies the update that everybody agreed on.
//
// In `dir`: log/ (follower.h), blobs/ (hub_blobs.h), weights/ (model_copy.h), work/ (trainer),
// volunteer.json (the chains of optimizer state and error feedback; written atomically),
// pending.record, stats.json, lock. It may be killed at any point: a contribution whose record
// reached the log counts, any other is rolled back to the last one that did.
#pragma once

#include "base/result.h"
#include "node/misbehave.h"
#include "node/observer.h"
#include "node/role_options.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::node {

struct VolunteerOptions {
  RoleOptions role;
  Misbehave misbehave = Misbehave::none;
};

// Until the run is finished, the volunteer is excluded (refused, with the reason), rounds_max is
// reached, or the clock says stop (cancelled is not returned: stopping is success). Outages are
// waited out. corrupt: the log's bytes do not lead to the log's digests.
[[nodiscard]] Result<Stats> run_volunteer(const VolunteerOptions& options, Wire& wire, Clock& clock,
                                          const Observer& observer);

}  // namespace harambee::node

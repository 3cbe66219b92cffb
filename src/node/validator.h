// A validator's machine: when a commit phase has ended, fetches the revealed contributions, checks
// their form, measures on rows that nobody could have known whether each makes the model better,
// and posts one score record. In `dir`: as volunteer.h, with validator.json.
#pragma once

#include <vector>

#include "base/result.h"
#include "node/audit_trainer.h"
#include "node/observer.h"
#include "node/role_options.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::node {

struct ValidatorOptions {
  RoleOptions role;
  std::vector<AuditTrainer> audit_trainers = {};  // of inexact classes, at most one each
};

// Ends like run_volunteer(). refused: the key is not among the run's validators. Before anything
// else each of audit_trainers is started once: invalid if it is not of its class.
[[nodiscard]] Result<Stats> run_validator(const ValidatorOptions& options, Wire& wire, Clock& clock,
                                          const Observer& observer);

}  // namespace harambee::node

// A validator's other work: training contributions again that the log's root has drawn, or that
// somebody disputes, and saying what came out. Internal to this room.
#pragma once

#include <map>
#include <vector>

#include "base/result.h"
#include "node/audit_trainer.h"
#include "node/repeat.h"
#include "node/session.h"
#include "role/auditor.h"

namespace harambee::node {

class Auditor {
 public:
  // All outlive the auditor. `inexact`: what it can train again beside the exact class.
  Auditor(Session& session, TrainerProcess& trainer, const std::vector<AuditTrainer>& inexact);

  enum class Did {
    nothing,  // nothing is asked of us
    later,    // something is, but its states are not there yet
    audit,    // one contribution was trained again, and the record is on the log
  };
  // Does at most one audit. Errors as the trainer's and the session's; a trainer of an inexact
  // class that fails is no error: it is told, and after some failures the contribution is given up.
  [[nodiscard]] Result<Did> step();

 private:
  [[nodiscard]] Result<Did> repeat(const role::auditor::Repeat& action);
  [[nodiscard]] Result<Did> repeat_inexact(const role::auditor::Repeat& action);
  [[nodiscard]] bool states_are_here(const std::vector<BlobRef>& states);
  [[nodiscard]] Result<Did> withheld(const role::auditor::Repeat& action);
  [[nodiscard]] Status publish(const fold::Audit& act);
  void forget_blobs(std::int64_t round, const RecordId& contribution);
  [[nodiscard]] RepeatWorld world(TrainerProcess& trainer);

  Session& session_;
  TrainerProcess& trainer_;
  const std::vector<AuditTrainer>& inexact_;
  role::AuditorFacts facts_;
  std::map<RecordId, int> failures_;  // of trainers of inexact classes
};

}  // namespace harambee::node

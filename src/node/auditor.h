// A validator's other work: training contributions again that the log's root has drawn, or that
// somebody disputes, and saying what came out. Internal to this room.
#pragma once

#include "base/result.h"
#include "node/repeat.h"
#include "node/session.h"
#include "role/auditor.h"

namespace harambee::node {

class Auditor {
 public:
  // Both outlive the auditor.
  Auditor(Session& session, TrainerProcess& trainer) : session_(session), trainer_(trainer) {}

  enum class Did {
    nothing,  // nothing is asked of us
    later,    // something is, but its states are not there yet
    audit,    // one contribution was trained again, and the record is on the log
  };
  // Does at most one audit. Errors as the trainer's and the session's.
  [[nodiscard]] Result<Did> step();

 private:
  [[nodiscard]] Result<Did> repeat(const role::auditor::Repeat& action);
  [[nodiscard]] Status publish(const fold::Audit& act);
  [[nodiscard]] RepeatWorld world();

  Session& session_;
  TrainerProcess& trainer_;
  role::AuditorFacts facts_;
};

}  // namespace harambee::node

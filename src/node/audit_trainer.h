// A program of this machine that can train contributions of an inexact class again. Nothing that
// comes from the network is executed; but the files that such a program is given (weights, text, an
// optimizer's state) were made by strangers, and it must read them as such.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/model.h"
#include "node/trainer_process.h"

namespace harambee::node {

struct AuditTrainer {
  std::string numeric_class;
  std::vector<std::string> command;  // and its arguments
};

// Started, and of the class that it is there for: invalid if it says another. `options`: all but
// the command. Other errors as TrainerProcess::hello.
[[nodiscard]] Result<std::unique_ptr<TrainerProcess>> start_audit_trainer(
    const AuditTrainer& which, TrainerOptions options, const format::ModelConfig& model);

// Of the one for this class; null: there is none.
[[nodiscard]] const AuditTrainer* find_audit_trainer(const std::vector<AuditTrainer>& all,
                                                     const std::string& numeric_class);

}  // namespace harambee::node

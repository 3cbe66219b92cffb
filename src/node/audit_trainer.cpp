#include "node/audit_trainer.h"

#include <algorithm>
#include <utility>

namespace harambee::node {

Result<std::unique_ptr<TrainerProcess>> start_audit_trainer(const AuditTrainer& which,
                                                            TrainerOptions options,
                                                            const format::ModelConfig& model) {
  options.argv = which.command;
  auto trainer = std::make_unique<TrainerProcess>(std::move(options), model);
  const Result<TrainerHello> hello = trainer->hello();
  if (!hello) {
    return wrap(hello.error(), "the trainer for audits of class " + which.numeric_class);
  }
  if (hello->numeric_class != which.numeric_class) {
    return invalid("the trainer " + hello->name + " for audits of class " + which.numeric_class +
                   " says that it is of class " + hello->numeric_class);
  }
  return trainer;
}

const AuditTrainer* find_audit_trainer(const std::vector<AuditTrainer>& all,
                                       const std::string& numeric_class) {
  const auto it = std::ranges::find(all, numeric_class, &AuditTrainer::numeric_class);
  return it == all.end() ? nullptr : &*it;
}

}  // namespace harambee::node

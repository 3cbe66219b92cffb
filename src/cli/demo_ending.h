// After the last round: what the same tokens give without a swarm, the audit, the model as files,
// a sample of its text, and the summary.
#pragma once

#include "base/result.h"
#include "cli/demo_summary.h"
#include "cli/demo_world.h"

namespace harambee::cli {

class Ending {
 public:
  explicit Ending(World& world) : world_(world) {}
  [[nodiscard]] Result<DemoSummary> run();

 private:
  [[nodiscard]] Status pull();
  [[nodiscard]] Status train_baselines(const fold::RunState& run);
  [[nodiscard]] Status log_baselines(const fold::RunState& run);
  [[nodiscard]] Status measure_losses(const fold::RunState& run);
  [[nodiscard]] Status verify();
  [[nodiscard]] Status sample();

  World& world_;
  DemoSummary summary_;
};

}  // namespace harambee::cli

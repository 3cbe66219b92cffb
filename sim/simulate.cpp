#include "sim/simulate.h"

#include "sim/world.h"

namespace harambee::sim {

Summary simulate(const Config& config, const Report::Line& line) {
  Report report(line);
  World world(config, report);
  world.run();
  return report.summary;
}

Summary simulate_checked(const Config& config, const Report::Line& line) {
  Summary summary = simulate(config, line);
  if (config.seed % 20 != 0) return summary;
  const Summary again = simulate(config);
  ++summary.invariants_checked;
  if (again.fingerprint != summary.fingerprint) {
    summary.violations.push_back("determinism: two runs of this seed differ");
  }
  return summary;
}

std::string replay_command(const Config& config) {
  return "harambee simulate --seed " + std::to_string(config.seed) + " --peers " +
         std::to_string(config.peers) + " --rounds " + std::to_string(config.rounds) +
         " --faults " + config.faults.str();
}

}  // namespace harambee::sim

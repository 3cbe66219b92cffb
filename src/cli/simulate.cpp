#include "sim/simulate.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace harambee::cli {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

nlohmann::json to_json(const sim::Summary& summary) {
  nlohmann::json probes = nlohmann::json::object();
  for (std::size_t i = 0; i < sim::kProbes; ++i) {
    probes[std::string(sim::name(static_cast<sim::Probe>(i)))] = summary.probes[i];
  }
  return {{"event", "done"},
          {"seed", summary.seed},
          {"events", summary.events},
          {"records", summary.records},
          {"rounds_closed", summary.rounds_closed},
          {"peer_rounds", summary.peer_rounds},
          {"honest_excluded", summary.honest_excluded},
          {"invariants_checked", summary.invariants_checked},
          {"violations", summary.violations},
          {"faults", summary.faults},
          {"virtual_ms", summary.virtual_ms},
          {"queue_most", summary.queue_most},
          {"loss_first_nanos", summary.first_loss_nanos},
          {"loss_last_nanos", summary.last_loss_nanos},
          {"fingerprint", summary.fingerprint.hex()},
          {"probes", probes}};
}

void tell(const sim::Config& config, const sim::Summary& summary, Ui& ui) {
  ui.line(fmt::format("seed {}  {} peers  {} of {} rounds  faults {}", summary.seed, config.peers,
                      summary.rounds_closed, config.rounds, summary.faults));
  ui.line(fmt::format("{} events, {} records, {} invariants checked, {} s of virtual time",
                      summary.events, summary.records, summary.invariants_checked,
                      summary.virtual_ms / 1000));
  ui.line(fmt::format(
      "loss {:.3f} to {:.3f}; fingerprint {}", static_cast<double>(summary.first_loss_nanos) / 1e9,
      static_cast<double>(summary.last_loss_nanos) / 1e9, summary.fingerprint.hex().substr(0, 16)));
  std::string reached;
  for (std::size_t i = 0; i < sim::kProbes; ++i) {
    if (summary.probes[i] == 0) continue;
    reached += fmt::format("{}{} {}", reached.empty() ? "" : ", ",
                           sim::name(static_cast<sim::Probe>(i)), summary.probes[i]);
  }
  ui.line("reached: " + reached);
}

}  // namespace

Exit simulate(const SimulateOptions& options, Ui& ui) {
  sim::Config config;
  config.peers = options.peers;
  config.rounds = options.rounds;
  const auto faults = sim::Faults::parse(options.faults);
  if (!faults) return ui.fail(kUsage, faults.error().message);
  config.faults = *faults;
  File log(nullptr, &std::fclose);
  if (!options.log.empty()) {
    log.reset(std::fopen(options.log.c_str(), "w"));
    if (!log) return ui.fail(kDisk, "cannot write " + options.log);
  }
  sim::Report::Line line;
  if (log) {
    line = [&log](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), log.get());
      std::fputc('\n', log.get());
    };
  }
  std::uint64_t failed = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    config.seed = options.seed + i;
    const sim::Summary summary = sim::simulate_checked(config, line);
    ui.event(to_json(summary));
    if (options.seeds == 1 || !summary.violations.empty()) tell(config, summary, ui);
    if (summary.violations.empty()) continue;
    ++failed;
    for (const std::string& violation : summary.violations) ui.note("violated: " + violation);
    ui.note("again: " + sim::replay_command(config));
  }
  if (options.seeds > 1) {
    ui.line(fmt::format("{} seeds from {}: {} failed", options.seeds, options.seed, failed));
  }
  return failed == 0 ? kOk : kVerifyFailed;
}

}  // namespace harambee::cli

#include "node/conformance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/setup.h"
#include "cli/verbs.h"

namespace harambee::cli {

Exit conformance(const ConformanceOptions& options, Ui& ui) {
  catch_stop_signals();
  bool own_dir = options.common.dir.empty();
  std::filesystem::path dir = own_dir ? std::filesystem::temp_directory_path() /
                                            fmt::format("harambee-conformance-{}", ::getpid())
                                      : std::filesystem::path(options.common.dir);
  std::vector<node::ConformanceCheck> checks = node::run_conformance(options.command, dir);
  nlohmann::json list = nlohmann::json::array();
  for (const node::ConformanceCheck& check : checks) {
    std::string mark = check.skipped  ? ui.dim("skip")
                       : check.passed ? ui.green("ok  ")
                                      : ui.red("FAIL");
    ui.line(
        fmt::format("{} {}{}{}", mark, check.name, check.detail.empty() ? "" : ": ", check.detail));
    list.push_back({{"name", check.name},
                    {"passed", check.passed},
                    {"skipped", check.skipped},
                    {"detail", check.detail}});
  }
  bool good = node::passed(checks);
  ui.event({{"event", "done"}, {"passed", good}, {"checks", list}});
  std::error_code ignored;
  if (own_dir && good) std::filesystem::remove_all(dir, ignored);
  if (good) {
    ui.line("this trainer can take part in any run");
    return kOk;
  }
  return ui.fail(kTrainerFailed, "the trainer does not keep the protocol",
                 {"what it wrote is in " + dir.string(), "docs: spec/trainer-protocol.md"});
}

}  // namespace harambee::cli

// `completion` and `man`: what a packager or a person installs once.
#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command_model.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

std::string today() {
  const std::time_t now = SystemClock().unix_ms() / 1000;
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[11];
  std::strftime(text, sizeof text, "%F", &parts);
  return text;
}

}  // namespace

Exit completion(const ShellOptions& options, const CommandModel& model, Ui& ui) {
  std::string script = completion_script(model, options.shell);
  if (script.ends_with('\n')) script.pop_back();
  ui.line(script);
  return kOk;
}

Exit man(const ShellOptions& options, const CommandModel& model, Ui& ui) {
  const std::filesystem::path dir = options.dir;
  nlohmann::json files = nlohmann::json::array();
  for (const ManPage& page : man_pages(model, HARAMBEE_VERSION, today())) {
    const std::string file = (dir / page.file).string();
    if (Status written = store::write_file_atomic(file, view(page.roff), 0644); !written) {
      return ui.fail(written.error(), {"", "give a folder that you may write to"});
    }
    files.push_back(file);
  }
  ui.line(fmt::format("{} man pages in {}; read one with: man -l {}", files.size(), dir.string(),
                      (dir / "harambee.1").string()));
  ui.event({{"event", "done"}, {"files", files}});
  return kOk;
}

}  // namespace harambee::cli

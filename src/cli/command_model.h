// The command line as a value: what completion scripts and man pages are written from. main.cpp
// describes the real parser, so these cannot say anything else than `--help`.
#pragma once

#include <string>
#include <vector>

namespace harambee::cli {

struct OptionModel {
  std::vector<std::string> names;  // "--json", "-h"; empty: a positional
  std::string positional;          // "URL"; empty: an option
  std::string help;                // one line
  bool takes_value = false;
  bool required = false;
  bool repeated = false;             // takes several values
  std::vector<std::string> choices;  // the only values, if not empty
};

struct CommandModel {
  std::string name;
  std::string help;
  std::vector<OptionModel> options;  // as --help lists them
  std::vector<CommandModel> verbs;   // subcommands
};

// A script for `shell` ("bash", "zsh" or "fish") that completes verbs, options, their choices, and
// file names; to be sourced, or installed where the shell looks for it. Nothing is asked of the
// program or the network while completing.
[[nodiscard]] std::string completion_script(const CommandModel& root, const std::string& shell);

struct ManPage {
  std::string file;  // "harambee-join.1"
  std::string roff;
};
// harambee(1) and a page for each verb. `version` and `date` ("2026-11-22") go into the footer.
[[nodiscard]] std::vector<ManPage> man_pages(const CommandModel& root, const std::string& version,
                                             const std::string& date);

}  // namespace harambee::cli

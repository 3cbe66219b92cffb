#include <fmt/format.h>
#include <fmt/ranges.h>  // fmt::join, since version 11

#include <algorithm>
#include <cctype>

#include "cli/command_model.h"

namespace harambee::cli {
namespace {

// Text that roff must not read as its own: backslashes, dashes that are meant, control lines.
std::string roff(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\n') {
      out += ' ';
    } else {
      out += c;
    }
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string dashed(const std::string& path) {
  std::string out = path;
  std::replace(out.begin(), out.end(), ' ', '-');
  return out;
}

std::string synopsis(const CommandModel& command, const std::string& path) {
  std::string out = fmt::format(".B {}\n", roff(path));
  for (const OptionModel& option : command.options) {
    if (!option.names.empty() && option.required) {
      out += fmt::format(".B {}\n.I VALUE\n", roff(option.names.front()));
    }
  }
  if (!command.verbs.empty()) out += ".I VERB\n";
  out += "[\\fIOPTIONS\\fR]\n";
  for (const OptionModel& option : command.options) {
    if (option.names.empty()) {
      out += fmt::format("{}{}{}{}\n", option.required ? "" : "[", roff(option.positional),
                         option.repeated ? "\\&..." : "", option.required ? "" : "]");
    }
  }
  return out;
}

std::string option_lines(const CommandModel& command) {
  std::string out;
  for (const OptionModel& option : command.options) {
    std::vector<std::string> names;
    for (const std::string& name : option.names) names.push_back("\\fB" + roff(name) + "\\fR");
    if (option.names.empty()) names.push_back("\\fI" + roff(option.positional) + "\\fR");
    out += fmt::format(".TP\n{}", fmt::join(names, ", "));
    if (!option.choices.empty()) {
      out += fmt::format(" {}", roff(fmt::format("{}", fmt::join(option.choices, "|"))));
    } else if (option.takes_value && !option.names.empty()) {
      out += " \\fIVALUE\\fR";
    }
    out += fmt::format("\n{}\n", roff(option.help));
  }
  return out;
}

constexpr const char* kExitStatus = R"(.SH EXIT STATUS
0 done; 1 a bug; 2 wrong usage; 3 bad input; 4 the hub, run or blob is not there; 5 verification
failed; 6 conflict; 7 disk; 8 the trainer failed; 9 refused by a rule; 10 a limit; 130 interrupted.
Errors say what happened, what was kept, and what to do.
.SH ENVIRONMENT
.TP
.B NO_COLOR
No colours, if set.
.TP
.BR XDG_DATA_HOME ", " XDG_CACHE_HOME ", " XDG_CONFIG_HOME
Where state, caches and keys lie, as the XDG base directories say.
)";

void add_pages(const CommandModel& command, const std::string& path, const std::string& version,
               const std::string& date, std::vector<ManPage>& pages) {
  const std::string name = dashed(path);
  std::string text =
      fmt::format(".TH {} 1 {} \"harambee {}\" \"Harambee\"\n", upper(name), date, roff(version));
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(command.help));
  text += ".SH SYNOPSIS\n" + synopsis(command, path);
  if (!command.verbs.empty()) {
    text += ".SH VERBS\n";
    for (const CommandModel& verb : command.verbs) {
      text += fmt::format(".TP\n.BR {} (1)\n{}\n", roff(name + "-" + verb.name), roff(verb.help));
    }
  }
  text += ".SH OPTIONS\n" + option_lines(command) + kExitStatus;
  pages.push_back({name + ".1", text});
  for (const CommandModel& verb : command.verbs) {
    add_pages(verb, path + " " + verb.name, version, date, pages);
  }
}

}  // namespace

std::vector<ManPage> man_pages(const CommandModel& root, const std::string& version,
                               const std::string& date) {
  std::vector<ManPage> pages;
  add_pages(root, root.name, version, date, pages);
  return pages;
}

}  // namespace harambee::cli

#include <fmt/format.h>
#include <fmt/ranges.h>  // fmt::join, since version 11

#include <functional>

#include "cli/command_model.h"

namespace harambee::cli {
namespace {

// Every command with the words that lead to it: "", "key", "key new", …
void walk(const CommandModel& command, const std::string& path,
          const std::function<void(const CommandModel&, const std::string&)>& visit) {
  visit(command, path);
  for (const CommandModel& verb : command.verbs) {
    walk(verb, path.empty() ? verb.name : path + " " + verb.name, visit);
  }
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// Words that may stand at this place: verbs and options.
std::vector<std::string> words_of(const CommandModel& command) {
  std::vector<std::string> words;
  for (const CommandModel& verb : command.verbs) words.push_back(verb.name);
  for (const OptionModel& option : command.options) {
    words.insert(words.end(), option.names.begin(), option.names.end());
    if (option.names.empty()) {
      words.insert(words.end(), option.choices.begin(), option.choices.end());
    }
  }
  return words;
}

// In single quotes, for all three shells.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string bash(const CommandModel& root) {
  std::string words, choices;
  walk(root, "", [&](const CommandModel& command, const std::string& path) {
    words += fmt::format("    {}) words={} ;;\n", quoted(path), quoted(joined(words_of(command))));
    for (const OptionModel& option : command.options) {
      if (option.choices.empty()) continue;
      for (const std::string& name : option.names) {
        choices += fmt::format("    {}) words={} ;;\n", quoted(path + ":" + name),
                               quoted(joined(option.choices)));
      }
    }
  });
  std::string verbs;
  walk(root, "", [&verbs](const CommandModel&, const std::string& path) {
    if (!path.empty()) verbs += (verbs.empty() ? "" : "|") + quoted(path);
  });
  return fmt::format(R"(# bash completion for harambee
_harambee() {{
  local path='' word words='' i current=${{COMP_WORDS[COMP_CWORD]}}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{path:+$path }}${{COMP_WORDS[i]}}"
    case "$word" in
      {}) path=$word ;;
    esac
  done
  case "$path:${{COMP_WORDS[COMP_CWORD - 1]}}" in
{}  esac
  [ -n "$words" ] || case "$path" in
{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _harambee harambee
)",
                     verbs, choices, words);
}

std::string zsh_option(const OptionModel& option) {
  std::string help = option.help;
  std::string safe;
  for (char c : help) {
    if (c == '[' || c == ']' || c == ':') safe += '\\';
    safe += c;
  }
  std::string value;
  if (!option.choices.empty()) {
    value = fmt::format(":value:({})", joined(option.choices));
  } else if (option.takes_value) {
    value = ":value:_files";
  }
  std::string out;
  for (const std::string& name : option.names) {
    out += fmt::format("        {} \\\n", quoted("*" + name + "[" + safe + "]" + value));
  }
  return out;
}

std::string zsh(const CommandModel& root) {
  std::string cases;
  walk(root, "", [&cases](const CommandModel& command, const std::string& path) {
    cases += fmt::format("    {})\n", quoted(path));
    if (!command.verbs.empty()) {
      cases += "      verbs=(";
      for (const CommandModel& verb : command.verbs) {
        cases += quoted(verb.name + ":" + verb.help) + " ";
      }
      cases += ")\n      _describe verb verbs\n";
    }
    cases += "      _arguments -s \\\n";
    std::string values;
    for (const OptionModel& option : command.options) {
      cases += zsh_option(option);
      if (option.names.empty() && !option.choices.empty()) values = joined(option.choices);
    }
    cases += values.empty() ? "        '*:file:_files'\n      ;;\n"
                            : fmt::format("        '*:value:({})'\n      ;;\n", values);
  });
  std::string verbs;
  walk(root, "", [&verbs](const CommandModel&, const std::string& path) {
    if (!path.empty()) verbs += (verbs.empty() ? "" : "|") + quoted(path);
  });
  return fmt::format(R"(#compdef harambee
# zsh completion for harambee
_harambee() {{
  local path_='' word i
  local -a verbs
  for ((i = 2; i < CURRENT; i++)); do
    word="${{path_:+$path_ }}${{words[i]}}"
    case "$word" in
      {}) path_=$word ;;
    esac
  done
  case "$path_" in
{}  esac
}}
if [ "$funcstack[1]" = _harambee ]; then _harambee "$@"; else compdef _harambee harambee; fi
)",
                     verbs, cases);
}

std::string fish(const CommandModel& root) {
  std::string out = R"(# fish completion for harambee
function __harambee_at
    set -l words (commandline -opc)
    set -l path
    for word in $words[2..-1]
        string match -q -- '-*' $word; or set path $path $word
    end
    set -l wanted (string split -n ' ' -- $argv[1])
    set -l count (count $wanted)
    if test $count -eq 0
        test (count $path) -eq 0
        return
    end
    test (count $path) -ge $count; and test "$path[1..$count]" = "$wanted"
end
complete -c harambee -f -n '__harambee_at ""'
)";
  walk(root, "", [&out](const CommandModel& command, const std::string& path) {
    const std::string at = quoted("__harambee_at \"" + path + "\"");
    for (const CommandModel& verb : command.verbs) {
      out +=
          fmt::format("complete -c harambee -n {} -a {} -d {}\n", at, verb.name, quoted(verb.help));
    }
    for (const OptionModel& option : command.options) {
      if (option.names.empty() && !option.choices.empty()) {
        out += fmt::format("complete -c harambee -n {} -a {} -d {}\n", at,
                           quoted(joined(option.choices)), quoted(option.help));
      }
      for (const std::string& name : option.names) {
        const bool is_long = name.starts_with("--");
        out += fmt::format("complete -c harambee -n {} {} {} -d {}", at, is_long ? "-l" : "-s",
                           name.substr(is_long ? 2 : 1), quoted(option.help));
        if (!option.choices.empty()) {
          out += " -x -a " + quoted(joined(option.choices));
        } else if (option.takes_value) {
          out += " -r";
        }
        out += "\n";
      }
    }
  });
  return out;
}

}  // namespace

std::string completion_script(const CommandModel& root, const std::string& shell) {
  if (shell == "bash") return bash(root);
  if (shell == "zsh") return zsh(root);
  return fish(root);
}

}  // namespace harambee::cli

#include "bench/attacks/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace harambee::attack_bench {
namespace {

template <typename... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
  char text[384];
  std::snprintf(text, sizeof text, pattern, arguments...);
  return text;
}

bool wanted(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

std::string attack_name(const Cell& cell) {
  return cell.attack == nullptr ? "none" : std::string(cell.attack->name);
}

const Row* find(const std::vector<Row>& rows, std::string_view rule, std::string_view attack,
                std::uint32_t percent, bool skewed) {
  for (const Row& row : rows) {
    const Cell& cell = row.cell;
    if (cell.defence->name == rule && attack_name(cell) == attack && cell.skewed == skewed &&
        (attack == "none" || cell.percent == percent)) {
      return &row;
    }
  }
  return nullptr;
}

// Percent above the plain mean's final loss without attackers on the same data.
double above_clean(const std::vector<Row>& rows, const Row& row) {
  const Row* clean = find(rows, "mean", "none", 0, row.cell.skewed);
  return 100 * (row.outcome.last_loss / clean->outcome.last_loss - 1);
}

std::string share(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? "-"
                  : format("%.0f %%", 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

}  // namespace

void choose_quick(Options& options) {
  options.plan.rounds = 8;
  options.rules = {"mean", "full"};
  options.attacks = {"huge", "ipm-2", "gate-mix"};
  options.fractions = {0, 25};
  options.skewed = false;
}

Result<std::vector<Cell>> cells_of(const Options& options) {
  const auto known_rule = [](const std::string& name) {
    return std::ranges::find(defences(), name, &Defence::name) != defences().end();
  };
  for (const std::string& name : options.rules) {
    if (!known_rule(name)) return invalid("no rule is named " + name);
  }
  for (const std::string& name : options.attacks) {
    if (attacks::find(name) == nullptr) return invalid("no attack is named " + name);
  }
  std::vector<Cell> cells;
  for (const bool skewed : {false, true}) {
    if (skewed ? !options.skewed : !options.iid) continue;
    for (const Defence& defence : defences()) {
      if (defence.name != "mean" && !wanted(options.rules, defence.name)) continue;
      cells.push_back({&defence, nullptr, 0, skewed});
    }
    for (const Defence& defence : defences()) {
      if (!wanted(options.rules, defence.name)) continue;
      for (const attacks::Attack& attack : attacks::all()) {
        if (!wanted(options.attacks, attack.name)) continue;
        for (const std::uint32_t percent : options.fractions) {
          if (percent > 0) cells.push_back({&defence, &attack, percent, skewed});
        }
      }
    }
  }
  return cells;
}

std::string line_of(const Row& row) {
  const Outcome& o = row.outcome;
  std::string line = format(
      "%-7s %-11s %-12s %2u %%: %.4f -> %.4f (worst %.4f), taken honest %s (minority %s) colluding "
      "%s, "
      "grouped %llu + %llu, cosine %.2f, exclusive %.2f",
      row.cell.skewed ? "skewed" : "iid", std::string(row.cell.defence->name).c_str(),
      attack_name(row.cell).c_str(), row.cell.percent, o.first_loss, o.last_loss, o.worst_loss,
      share(o.honest_taken, o.honest_sent).c_str(),
      share(o.minority_taken, o.minority_sent).c_str(),
      share(o.colluding_taken, o.colluding_sent).c_str(),
      static_cast<unsigned long long>(o.honest_grouped),
      static_cast<unsigned long long>(o.colluding_grouped), o.honest_cosine, o.honest_exclusive);
  if (o.honest_own + o.colluding_own == 0) return line;
  return line + ", own rows better: honest " + share(o.honest_better, o.honest_own) +
         " colluding " + share(o.colluding_better, o.colluding_own);
}

std::string markdown_of(const Options& options, const std::vector<Row>& rows) {
  std::string out;
  for (const bool skewed : {false, true}) {
    const Row* clean = find(rows, "mean", "none", 0, skewed);
    if (clean == nullptr) continue;
    out += format("**%s data.** Without attackers the plain mean goes from %.4f to %.4f nats.\n\n",
                  skewed ? "Strongly skewed" : "IID", clean->outcome.first_loss,
                  clean->outcome.last_loss);
    for (const std::uint32_t percent : options.fractions) {
      std::string head = format("| %u %% colluding |", percent), line = "|---|";
      std::vector<const Defence*> columns;
      for (const Defence& defence : defences()) {
        if (!wanted(options.rules, defence.name)) continue;
        columns.push_back(&defence);
        head += " " + std::string(defence.name) + " |";
        line += "---|";
      }
      out += head + "\n" + line + "\n";
      std::vector<double> worst(columns.size(), -1e9);
      const auto add = [&](const std::string& attack) {
        out += "| " + attack + " |";
        for (std::size_t c = 0; c < columns.size(); ++c) {
          const Row* row = find(rows, columns[c]->name, attack, percent, skewed);
          if (row == nullptr) {
            out += " |";
            continue;
          }
          const double above = above_clean(rows, *row);
          worst[c] = std::max(worst[c], above);
          out += format(" %+.1f %% |", above);
        }
        out += "\n";
      };
      if (percent == 0) {
        add("none");
      } else {
        for (const attacks::Attack& attack : attacks::all()) {
          if (wanted(options.attacks, attack.name)) add(std::string(attack.name));
        }
        out += "| **worst** |";
        for (const double above : worst) out += format(" **%+.1f %%** |", above);
        out += "\n";
      }
      out += "\n";
    }
  }
  return out;
}

std::string json_of(const Options& options, const std::vector<Row>& rows) {
  std::string out =
      format("{\"peers\":%u,\"rounds\":%u,\"seed\":%llu,\"cells\":[\n", options.plan.peers,
             options.plan.rounds, static_cast<unsigned long long>(options.plan.seed));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const Outcome& o = row.outcome;
    out += format("{\"data\":\"%s\",\"rule\":\"%s\",\"attack\":\"%s\",\"percent\":%u,",
                  row.cell.skewed ? "skewed" : "iid", std::string(row.cell.defence->name).c_str(),
                  attack_name(row.cell).c_str(), row.cell.percent);
    out += format("\"first\":%.6f,\"last\":%.6f,\"highest\":%.6f,\"above_clean_percent\":%.3f,",
                  o.first_loss, o.last_loss, o.worst_loss, above_clean(rows, row));
    out += format(
        "\"honest_sent\":%llu,\"honest_taken\":%llu,\"minority_sent\":%llu,"
        "\"minority_taken\":%llu,\"colluding_sent\":%llu,"
        "\"colluding_taken\":%llu,",
        static_cast<unsigned long long>(o.honest_sent),
        static_cast<unsigned long long>(o.honest_taken),
        static_cast<unsigned long long>(o.minority_sent),
        static_cast<unsigned long long>(o.minority_taken),
        static_cast<unsigned long long>(o.colluding_sent),
        static_cast<unsigned long long>(o.colluding_taken));
    out += format(
        "\"honest_own\":%llu,\"honest_better\":%llu,\"colluding_own\":%llu,"
        "\"colluding_better\":%llu}%s\n",
        static_cast<unsigned long long>(o.honest_own),
        static_cast<unsigned long long>(o.honest_better),
        static_cast<unsigned long long>(o.colluding_own),
        static_cast<unsigned long long>(o.colluding_better), i + 1 < rows.size() ? "," : "");
  }
  return out + "]}\n";
}

int check_quick(const std::vector<Row>& rows) {
  int failures = 0;
  const auto expect = [&](bool holds, const std::string& what) {
    if (holds) return;
    ++failures;
    std::fprintf(stderr, "not as promised: %s\n", what.c_str());
  };
  for (const Row& row : rows) {
    if (row.cell.defence->name != "full") continue;
    const double above = above_clean(rows, row);
    expect(above < 2, format("full under %s is %.2f %% above clean, not below 2 %%",
                             attack_name(row.cell).c_str(), above));
    expect(row.outcome.last_loss < row.outcome.first_loss, "full learns nothing");
  }
  const Row* ruined = find(rows, "mean", "huge", 25, false);
  expect(ruined != nullptr && above_clean(rows, *ruined) > 10,
         "the plain mean withstands contributions 100 times too large: the bench is broken");
  return failures == 0 ? 0 : 1;
}

}  // namespace harambee::attack_bench

// attack_bench: rules × attacks × fractions on a small real transformer (./dev bench attacks).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/attacks/experiment.h"
#include "bench/attacks/table.h"

namespace {

using namespace harambee;
using namespace harambee::attack_bench;

constexpr const char* kUsage =
    "usage: attack_bench [--json] [--quick] [--seed N] [--rules a,b] [--attacks a,b]\n"
    "                    [--fractions 0,10,25,40] [--data iid|skewed|both] [--threads N]\n"
    "                    [--rounds N] [--set NAME=VALUE] [--text REPOSITORY] [--list]\n"
    "Prints a table in Markdown (--json: one object) of final held-out losses against the plain\n"
    "mean's without attackers. The figures do not depend on threads or processor.\n"
    "--quick: a few cells, and exit code 1 unless the full defence holds where the mean does "
    "not.\n";

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

// "outer=4": a number of the plan.
bool set_number(const std::string& text, Plan& plan) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return false;
  const std::string key = text.substr(0, equals);
  const double value = std::strtod(text.c_str() + equals + 1, nullptr);
  const auto whole = static_cast<std::uint32_t>(value);
  if (key == "outer")
    plan.outer_rate = value;
  else if (key == "lr")
    plan.learning_rate = value;
  else if (key == "step")
    plan.gate_step = value;
  else if (key == "steps")
    plan.steps = whole;
  else if (key == "batch")
    plan.batch = whole;
  else if (key == "keep")
    plan.keep = whole;
  else if (key == "down")
    plan.down_keep = whole;
  else if (key == "warm")
    plan.warm_steps = whole;
  else if (key == "gate-rows")
    plan.gate_rows = whole;
  else if (key == "own")
    plan.own = whole;
  else if (key == "shares")
    plan.shares = whole != 0;
  else if (key == "hidden")
    plan.hidden = whole;
  else
    return false;
  return value > 0;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    if (key == "--help" || key == "-h") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (key == "--json") {
      options.json = true;
    } else if (key == "--quick") {
      options.quick = true;
    } else if (key == "--list") {
      options.list = true;
    } else if (i + 1 >= argc) {
      return false;
    } else if (key == "--seed") {
      options.plan.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (key == "--rounds") {
      options.plan.rounds = static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 10));
    } else if (key == "--set") {
      if (!set_number(argv[++i], options.plan)) return false;
    } else if (key == "--threads") {
      options.threads = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else if (key == "--rules") {
      options.rules = split(argv[++i]);
    } else if (key == "--attacks") {
      options.attacks = split(argv[++i]);
    } else if (key == "--fractions") {
      options.fractions.clear();
      for (const std::string& one : split(argv[++i])) {
        options.fractions.push_back(static_cast<std::uint32_t>(std::stoul(one)));
      }
    } else if (key == "--data") {
      const std::string data = argv[++i];
      options.iid = data != "skewed", options.skewed = data != "iid";
    } else if (key == "--text") {
      options.text = argv[++i];
    } else {
      return false;
    }
  }
  return options.threads >= 1 && options.threads <= 256 && options.plan.rounds >= 1;
}

// Cells in any order on any thread: each is deterministic by itself.
std::vector<Row> run_all(const Options& options, const std::vector<Domain>& domains,
                         const std::vector<Cell>& cells) {
  std::vector<Row> rows(cells.size());
  std::atomic<std::size_t> next{0};
  const Vector start = Learner(options.plan, domains).warm_start();
  std::mutex printing;
  const auto work = [&] {
    Learner learner(options.plan, domains);
    for (std::size_t i = next++; i < cells.size(); i = next++) {
      rows[i] = {cells[i], run_cell(cells[i], options.plan, start, learner)};
      const std::lock_guard lock(printing);
      std::fprintf(stderr, "%zu/%zu %s\n", i + 1, cells.size(), line_of(rows[i]).c_str());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < options.threads; ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return rows;
}

void list_all() {
  std::printf("rules:\n");
  for (const Defence& one : defences()) {
    std::printf("  %-12s %s\n", std::string(one.name).c_str(), std::string(one.about).c_str());
  }
  std::printf("attacks:\n");
  for (const attacks::Attack& one : attacks::all()) {
    std::printf("  %-12s %s\n", std::string(one.name).c_str(), std::string(one.formula).c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (options.list) {
    list_all();
    return 0;
  }
  if (options.quick) choose_quick(options);
  const Result<std::vector<Cell>> cells = cells_of(options);
  if (!cells) {
    std::fprintf(stderr, "attack_bench: %s\n", cells.error().message.c_str());
    return 2;
  }
  const Result<std::vector<Domain>> domains = read_domains(options.text);
  if (!domains) {
    std::fprintf(stderr, "attack_bench: %s\n", domains.error().message.c_str());
    return 1;
  }
  const std::vector<Row> rows = run_all(options, *domains, *cells);
  std::fputs((options.json ? json_of(options, rows) : markdown_of(options, rows)).c_str(), stdout);
  return options.quick ? check_quick(rows) : 0;
}

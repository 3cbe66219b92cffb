#include "cli/demo_summary.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/ui.h"
#include "format/model.h"

namespace harambee::cli {
namespace {

using Names = std::vector<std::pair<std::string, KeyId>>;

const KeyId* key_of(const Names& names, const std::string& name) {
  for (const auto& [known, key] : names) {
    if (known == name) return &key;
  }
  return nullptr;
}

std::string name_of(const Names& names, const KeyId& key) {
  for (const auto& [name, known] : names) {
    if (known == key) return name;
  }
  return "";
}

// Rounds from `from` on in which this key's contribution was accepted.
std::int64_t accepted_since(const fold::RunState& run, const KeyId& key, std::int64_t from) {
  std::int64_t count = 0;
  for (const fold::ClosedRound& round : run.history) {
    if (round.number < from) continue;
    for (const fold::ClosedContribution& c : round.contributions) {
      if (c.author == key && c.accepted) ++count;
    }
  }
  return count;
}

double nats(std::int64_t nanos) { return static_cast<double>(nanos) / 1e9; }

std::string against(std::int64_t loss, std::int64_t other) {
  const double percent = 100.0 * (static_cast<double>(loss) / static_cast<double>(other) - 1);
  return fmt::format("{:+.1f} %", percent);
}

double ratio(double more, double less) { return less > 0 ? more / less : 0; }

// Text of a byte-level model may hold anything: only printable ASCII and line ends are shown.
std::vector<std::string> printable_lines(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c >= ' ' && c <= '~' ? c : (c == '\t' ? ' ' : '?');
    }
  }
  return lines;
}

}  // namespace

void fill_from_log(DemoSummary& summary, const fold::RunState& run, const DemoPlan& plan,
                   const Names& names) {
  summary.rounds = static_cast<std::int64_t>(run.history.size());
  summary.volunteers = static_cast<unsigned>(plan.parts.size());
  summary.parameters = format::ModelLayout::make(run.recipe.model).value().parameters();
  summary.weights = run.weights.hex();
  for (const fold::Member& member : run.members) {
    const KeyId& key = member.key;
    summary.tokens += member.tokens;
    if (member.excluded) {
      summary.excluded.push_back({key.hex(), name_of(names, key), *member.excluded});
    }
  }
  for (const auto& [name, key] : names) {
    const auto credit = run.credits.find(key);
    const bool paid = credit != run.credits.end();
    if (!paid && run.member(key) == nullptr) continue;
    summary.credits.push_back(
        {key.hex(), name, (paid ? credit->second : fold::MicroCredit()).str()});
  }
}

void judge_promises(DemoSummary& summary, const fold::RunState& run, const DemoPlan& plan,
                    const Names& names) {
  const auto demand = [&](bool kept, std::string what) {
    if (!kept) summary.broken.push_back(std::move(what));
  };
  demand(run.phase == fold::Phase::finished, "the run has not finished all of its rounds");
  demand(summary.verified, "the audit of the log failed");
  demand(summary.retrained > 0 && summary.retrained == summary.retrained_exact,
         fmt::format("{} of {} retrained contributions gave the committed bytes",
                     summary.retrained_exact, summary.retrained));
  for (const Part& part : plan.parts) {
    const KeyId* key = key_of(names, part.name);
    if (key == nullptr) continue;
    if (part.cheats) {
      const fold::Member* member = run.member(*key);
      demand(member != nullptr && member->excluded.has_value(),
             part.name + " cheats and was not excluded");
      const auto credit = run.credits.find(*key);
      demand(credit == run.credits.end() || credit->second == fold::MicroCredit(),
             part.name + " cheats and has earned credit");
      continue;
    }
    const std::int64_t from = part.is_killed    ? plan.script.kill_round
                              : part.joins_late ? plan.script.late_round
                                                : 0;
    demand(accepted_since(run, *key, from) > 0,
           fmt::format("{} has no accepted contribution{}", part.name,
                       part.is_killed ? " after it was killed" : ""));
  }
}

std::string to_json(const DemoSummary& s) {
  nlohmann::json excluded = nlohmann::json::array();
  for (const auto& e : s.excluded) {
    excluded.push_back({{"key", e.key}, {"name", e.name}, {"reason", e.reason}});
  }
  nlohmann::json credits = nlohmann::json::array();
  for (const auto& c : s.credits) {
    credits.push_back({{"key", c.key}, {"name", c.name}, {"amount", c.amount}});
  }
  const auto whole = [](double bytes) { return static_cast<std::int64_t>(std::llround(bytes)); };
  const nlohmann::json j = {{"rounds", s.rounds},
                            {"volunteers", s.volunteers},
                            {"parameters", s.parameters},
                            {"tokens", s.tokens},
                            {"loss_start", nats(s.loss_start_nanos)},
                            {"loss_end", nats(s.loss_end_nanos)},
                            {"loss_single_machine", nats(s.loss_single_nanos)},
                            {"loss_data_parallel", nats(s.loss_parallel_nanos)},
                            {"bytes_up_per_volunteer", whole(s.traffic.up)},
                            {"bytes_down_per_volunteer", whole(s.traffic.down)},
                            {"bytes_once_per_volunteer", whole(s.traffic.once)},
                            {"bytes_data_parallel", s.data_parallel_bytes},
                            {"excluded", excluded},
                            {"credits", credits},
                            {"retrained", {{"count", s.retrained}, {"exact", s.retrained_exact}}},
                            {"verified", s.verified},
                            {"records", s.records},
                            {"weights", s.weights},
                            {"model_dir", s.model_dir},
                            {"hub_data_dir", s.hub_data_dir},
                            {"run_url", s.run_url},
                            {"sample", s.sample},
                            {"seconds", std::round(s.seconds * 10) / 10},
                            {"broken", s.broken}};
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> report_lines(const DemoSummary& s, const std::string& program) {
  std::vector<std::string> lines;
  const auto add = [&](std::string line) { lines.push_back(std::move(line)); };
  const double parallel = static_cast<double>(s.data_parallel_bytes);
  add("");
  add(fmt::format(
      "Held-out loss (nats a byte; lower is better), {} rounds, {} tokens, {} "
      "parameters",
      s.rounds, human_count(static_cast<std::uint64_t>(s.tokens)), human_count(s.parameters)));
  add(fmt::format("  at the start                       {}", human_nats(s.loss_start_nanos)));
  add(fmt::format("  together, over the network         {}", human_nats(s.loss_end_nanos)));
  add(fmt::format("  one machine, the same tokens       {}   (together: {})",
                  human_nats(s.loss_single_nanos), against(s.loss_end_nanos, s.loss_single_nanos)));
  add(fmt::format("  data-parallel, the same tokens     {}   (together: {})",
                  human_nats(s.loss_parallel_nanos),
                  against(s.loss_end_nanos, s.loss_parallel_nanos)));
  add("");
  add("Bytes of one volunteer, headers and polls included");
  add(fmt::format("  sent       {:>9}   data-parallel would have sent {}: {:.0f} times fewer",
                  human_bytes(static_cast<std::uint64_t>(s.traffic.up)),
                  human_bytes(s.data_parallel_bytes), ratio(parallel, s.traffic.up)));
  add(fmt::format("  received   {:>9}   both ways: {:.0f} times fewer",
                  human_bytes(static_cast<std::uint64_t>(s.traffic.down)),
                  ratio(2 * parallel, s.traffic.up + s.traffic.down)));
  add(fmt::format("  once       {:>9}   text, first weights, the log so far",
                  human_bytes(static_cast<std::uint64_t>(s.traffic.once))));
  add("");
  add("Credits");
  for (const auto& c : s.credits) add(fmt::format("  {:<13} {:>12}", c.name, c.amount));
  for (const auto& e : s.excluded) add(fmt::format("  {} was excluded: {}", e.name, e.reason));
  add("");
  add(fmt::format("The model goes on after {:?}:", s.sample_prompt));
  for (const std::string& line : printable_lines(s.sample)) add("  | " + line);
  add("");
  add(
      fmt::format("Verified: {} records from the first to the last, every weights digest of {} "
                  "rounds; {} of {} retrained contributions bit for bit.",
                  human_count(s.records), s.rounds, s.retrained_exact, s.retrained));
  add(fmt::format("  weights  {}", s.weights));
  add(fmt::format("  model    {}", s.model_dir));
  add("");
  const std::string port = s.run_url.substr(0, s.run_url.find("/runs/"));
  add("Next");
  add(fmt::format("  {} generate {} --prompt '#include'", program, s.model_dir));
  add(fmt::format("  sha256sum {}/model.safetensors", s.model_dir));
  add(fmt::format("  {} verify --data {} --retrain all", program, s.hub_data_dir));
  add(fmt::format("  {} hub --data {} --listen {}     # then, in another terminal:", program,
                  s.hub_data_dir, port.substr(std::min(port.size(), std::size_t{7}))));
  add(fmt::format("  {} status {}", program, s.run_url));
  if (!s.excluded.empty()) {
    add(fmt::format("  {} explain {} {}", program, s.run_url, s.excluded[0].key));
  }
  return lines;
}

}  // namespace harambee::cli

// status, credits, explain: what the fold says of a run, from a kept copy of the log.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/read_run.h"
#include "cli/verbs.h"
#include "fold/explain.h"
#include "fold/lineage.h"
#include "fold/status.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kNearlyDay = 86'400'000;

std::string short_key(const KeyId& key) { return key.hex().substr(0, 12); }

std::string short_number(std::int64_t nano_nats) { return human_nats(nano_nats); }

std::string phase_text(const fold::RunState& run, const fold::LogState& log) {
  std::string text = fold::name(run.phase);
  if (run.phase == fold::Phase::waiting_start || run.phase == fold::Phase::finished) return text;
  text = fmt::format("round {} of {}, {}", run.round.number + 1, run.recipe.rounds, text);
  if (run.phase == fold::Phase::commit) {
    text += fmt::format(" ({} committed)", run.round.contributions.size());
  }
  if (run.phase == fold::Phase::score) {
    text += fmt::format(" ({} of {} scored)", run.round.scores.size(), run.scorers().size());
  }
  std::optional<std::int64_t> deadline = run.deadline_ms();
  if (deadline && *deadline > log.now_ms() && *deadline - log.now_ms() < kNearlyDay) {
    text += fmt::format(", {} left",
                        human_seconds(static_cast<double>(*deadline - log.now_ms()) / 1000));
  }
  return text;
}

void print_losses(const fold::RunState& run, Ui& ui) {
  std::optional<std::int64_t> first, last;
  for (const fold::ClosedRound& round : run.history) {
    if (!round.loss_nanos || round.voided) continue;
    if (!first) first = round.loss_nanos;
    last = round.loss_nanos;
  }
  if (!first) return;
  ui.line(fmt::format("loss      {} at the start, {} now (held out, {} rounds)",
                      short_number(*first), ui.bold(short_number(*last)), run.history.size()));
}

void print_baselines(const fold::RunState& run, Ui& ui) {
  for (const fold::LoggedBaseline& one : run.baselines) {
    const fold::BaselinePoint& last = one.act.points.back();
    ui.line(fmt::format("baseline  {} at {} {}: {}", short_number(last.loss_nanos),
                        human_count(static_cast<std::uint64_t>(last.at)), name(one.act.over),
                        one.act.label));
  }
}

void print_voids(const fold::RunState& run, Ui& ui) {
  const auto voided = [](const fold::ClosedRound& round) { return round.voided; };
  const auto count = std::ranges::count_if(run.history, voided);
  if (count == 0) return;
  const fold::ClosedRound& last =
      *std::ranges::find_if(run.history.rbegin(), run.history.rend(), voided);
  ui.line(ui.yellow(fmt::format(
      "void      {} rounds went back to earlier weights, the last was round {}: the loss was {}",
      count, last.number, short_number(*last.loss_nanos))));
}

std::string standing(const fold::RunState& run, const fold::Member& member, const Ui& ui) {
  if (member.excluded) return ui.red("excluded: " + *member.excluded);
  if (member.left) return ui.dim("left");
  if (member.missed) return ui.yellow("missed the last round");
  if (run.phase == fold::Phase::commit) {
    return run.contribution_of(member.key) != nullptr ? ui.green("committed") : "training";
  }
  return ui.green("active");
}

void print_members(const fold::RunState& run, Ui& ui) {
  if (run.members.empty()) {
    ui.line("members   nobody has joined yet");
    return;
  }
  ui.line(ui.dim(fmt::format("{:<14}{:>9}{:>9}{:>12}{:>14}  {}", "member", "accepted", "rejected",
                             "credit", "tokens", "standing")));
  for (const fold::Member& member : run.members) {
    ui.line(fmt::format("{:<14}{:>9}{:>9}{:>12}{:>14}  {}", short_key(member.key), member.accepted,
                        member.rejected, member.credit.str(),
                        human_count(static_cast<std::uint64_t>(member.tokens)),
                        standing(run, member, ui)));
  }
}

// The key or record id in `ids` that begins with these hex digits; an error when several do.
template <typename Ids>
Result<std::optional<Digest>> complete(std::string_view digits, const Ids& ids) {
  std::optional<Digest> found;
  for (const Digest& id : ids) {
    if (!id.hex().starts_with(digits)) continue;
    if (found && *found != id) {
      return invalid(fmt::format("several ids begin with {}: give more digits", digits));
    }
    found = id;
  }
  return found;
}

Result<std::int64_t> round_number(const std::string& text) {
  std::int64_t round = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), round);
  if (error != std::errc() || end != text.data() + text.size() || round < 0) {
    return invalid("\"" + text + "\" is no round: a number from 0");
  }
  return round;
}

Result<fold::Explanation> explanation(const fold::RunState& run,
                                      const std::vector<std::string>& what) {
  if (what.size() == 2 && what[0] == "round") {
    Result<std::int64_t> round = round_number(what[1]);
    if (!round) return round.error();
    return fold::explain_round(run, *round);
  }
  if (what.size() != 1) return invalid("say what to explain: KEY, RECORD, or: round N");
  if (what[0].size() < 4) return invalid("give at least four digits of a key or record id");
  std::vector<Digest> keys{run.maintainer, run.coordinator};
  keys.insert(keys.end(), run.validators.begin(), run.validators.end());
  for (const fold::Member& member : run.members) keys.push_back(member.key);
  Result<std::optional<Digest>> key = complete(what[0], keys);
  if (!key) return key.error();
  if (*key) return fold::explain_peer(run, **key);
  std::vector<Digest> records;
  for (const fold::ClosedRound& round : run.history) {
    for (const fold::ClosedContribution& one : round.contributions) records.push_back(one.place.id);
  }
  for (const fold::Committed& one : run.round.contributions) records.push_back(one.place.id);
  for (const fold::Refusal& one : run.refusals) records.push_back(one.place.id);
  Result<std::optional<Digest>> record = complete(what[0], records);
  if (!record) return record.error();
  if (*record) return fold::explain_contribution(run, **record);
  return fail(ErrorCode::not_found,
              fmt::format("no key or contribution of this run begins with {}", what[0]));
}

}  // namespace

Exit status(const ReadOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Reading> reading = read_run(options.url, options.common, ui);
  if (!reading) return reading_failed(reading.error(), ui);
  const fold::RunState& run = *reading->run;
  if (ui.json()) {
    ui.event(nlohmann::json::parse(write(fold::status_json(reading->log(), run))));
    return kOk;
  }
  ui.line(fmt::format("{} {}", ui.bold("run " + run.name), ui.dim(run.id.hex())));
  ui.line(fmt::format("log       {} ({} entries)", reading->log().origin,
                      human_count(reading->log().frontier.size())));
  ui.line(fmt::format("phase     {}", phase_text(run, reading->log())));
  if (run.start) ui.line(fmt::format("weights   {}", run.weights.hex()));
  if (const auto parent = fold::parent_of(reading->log(), run)) {
    ui.line(fmt::format("fork      of {}, after {} of its rounds",
                        reading->log().run(parent->run)->name, parent->rounds));
  }
  print_losses(run, ui);
  print_baselines(run, ui);
  print_voids(run, ui);
  print_members(run, ui);
  if (run.refusals_count > 0) {
    ui.line(fmt::format("{} records were refused, the last because: {}", run.refusals_count,
                        run.refusals.back().reason));
  }
  return kOk;
}

Exit credits(const ReadOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Reading> reading = read_run(options.url, options.common, ui);
  if (!reading) return reading_failed(reading.error(), ui);
  const fold::RunState& run = *reading->run;
  std::vector<std::pair<KeyId, fold::MicroCredit>> rows(run.credits.begin(), run.credits.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [key, amount] : rows) {
    std::string roles;
    auto add = [&roles](const char* role) {
      roles += (roles.empty() ? "" : ", ") + std::string(role);
    };
    if (run.member(key) != nullptr) add("trainer");
    if (run.is_validator(key)) add("validator");
    if (key == run.coordinator) add("coordinator");
    ui.line(fmt::format("{} {:>16}  {}", key.hex(), amount.str(), roles));
    list.push_back({{"key", key.hex()}, {"micros", amount.micros()}, {"roles", roles}});
  }
  ui.line(fmt::format("{:<64} {:>16}  {}", "distributed", run.distributed.str(),
                      fmt::format("in {} rounds", run.history.size())));
  ui.event({{"run", run.id.hex()},
            {"credits", list},
            {"distributed_micros", run.distributed.micros()},
            {"rounds", run.history.size()}});
  return kOk;
}

Exit explain(const ReadOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Reading> reading = read_run(options.url, options.common, ui);
  if (!reading) return reading_failed(reading.error(), ui);
  const fold::RunState& run = *reading->run;
  std::vector<std::string> what = options.what;
  if (what.empty()) {
    if (run.history.empty())
      return ui.fail(kUsage, "say what to explain: KEY, RECORD, or: round N");
    what = {"round", std::to_string(run.history.back().number)};
  }
  Result<fold::Explanation> made = explanation(run, what);
  if (!made) return ui.fail(made.error(), {"", "`harambee status URL` shows the members' keys"});
  std::string text = fold::to_text(*made);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  ui.line(text);
  ui.event(nlohmann::json::parse(write(fold::to_json(*made))));
  return kOk;
}

}  // namespace harambee::cli

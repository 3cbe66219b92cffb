// status, credits, explain: what the fold says of a run, from a kept copy of the log.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/setup.h"
#include "cli/verbs.h"
#include "fold/explain.h"
#include "fold/status.h"
#include "net/http_client.h"
#include "node/follower.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kNearlyDay = 86'400'000;
constexpr int kLockTries = 100;
constexpr std::int64_t kLockWaitMs = 20;

// A run as the log has it now.
struct Reading {
  std::optional<store::FileLock> lock;  // of the kept copy
  std::unique_ptr<net::CurlWire> wire;
  std::unique_ptr<node::Follower> follower;
  const fold::RunState* run = nullptr;
  [[nodiscard]] const fold::LogState& log() const { return follower->state(); }
};

// Only a cache: when another log answers at this address than before, it begins anew, and says so.
void put_aside(const std::filesystem::path& dir, const Error& error, Ui& ui) {
  std::error_code ignored;
  std::filesystem::path aside = dir.string() + ".before";
  std::filesystem::remove_all(aside, ignored);
  std::filesystem::rename(dir, aside, ignored);
  ui.note(fmt::format("another log answers here than before ({}); the old copy is in {}",
                      error.message, aside.string()));
}

Result<store::FileLock> lock(const std::filesystem::path& dir, Clock& clock) {
  if (Status made = store::make_folders(dir.string()); !made) return made.error();
  for (int tries = 0;; ++tries) {
    Result<store::FileLock> taken = store::FileLock::take((dir / "lock").string());
    if (taken || taken.error().code != ErrorCode::conflict || tries == kLockTries) return taken;
    if (!clock.wait_ms(kLockWaitMs)) return fail(ErrorCode::cancelled, "stopped");
  }
}

Status open_follower(Reading& reading, const node::FollowerOptions& options) {
  Result<std::unique_ptr<node::Follower>> follower =
      node::Follower::open(options, reading.wire.get());
  if (!follower) return follower.error();
  reading.follower = *std::move(follower);
  Result<std::uint64_t> news = reading.follower->follow();
  if (!news) return news.error();
  return ok();
}

Result<Reading> read(const ReadOptions& options, Ui& ui) {
  Result<node::RunAddress> address = node::parse_run_address(options.url);
  if (!address) return address.error();
  Reading reading;
  SystemClock clock;
  std::filesystem::path dir = cache_dir(options.common, address->hub);
  Result<store::FileLock> locked = lock(dir, clock);
  if (!locked) return wrap(locked.error(), dir.string());
  reading.lock.emplace(*std::move(locked));
  net::CurlOptions curl;
  curl.cancel = &stop_flag();
  reading.wire = std::make_unique<net::CurlWire>(curl);
  node::FollowerOptions follow{.hub_url = address->hub, .dir = dir / "log", .vkey = {}};
  follow.signatures = node::Signatures::of_new_entries;
  Status followed = open_follower(reading, follow);
  if (!followed && followed.error().code == ErrorCode::refused && !follow.vkey) {
    reading.follower.reset();
    put_aside(follow.dir, followed.error(), ui);
    followed = open_follower(reading, follow);
  }
  if (!followed) return followed.error();
  reading.run = reading.log().run_named(address->name);
  if (reading.run == nullptr) {
    std::string names;
    for (const auto& [name, id] : reading.log().names) names += (names.empty() ? "" : ", ") + name;
    return fail(ErrorCode::not_found,
                fmt::format("{} has no run \"{}\"; it has {}", address->hub, address->name,
                            names.empty() ? "none yet" : names));
  }
  return reading;
}

Exit failed(const Error& error, Ui& ui) {
  if (error.code == ErrorCode::unavailable) {
    return ui.fail(error,
                   {"what was read before", "look whether the hub runs and the URL is right"});
  }
  if (error.code == ErrorCode::corrupt) {
    return ui.fail(error, {"the copy of the log and the evidence", "harambee verify URL"});
  }
  return ui.fail(error);
}

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
    text += fmt::format(" ({} of {} scored)", run.round.scores.size(), run.validators.size());
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
    if (!round.loss_nanos) continue;
    if (!first) first = round.loss_nanos;
    last = round.loss_nanos;
  }
  if (!first) return;
  ui.line(fmt::format("loss      {} at the start, {} now (held out, {} rounds)",
                      short_number(*first), ui.bold(short_number(*last)), run.history.size()));
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
  if (run.member_order.empty()) {
    ui.line("members   nobody has joined yet");
    return;
  }
  ui.line(ui.dim(fmt::format("{:<14}{:>9}{:>9}{:>12}{:>14}  {}", "member", "accepted", "rejected",
                             "credit", "tokens", "standing")));
  for (const KeyId& key : run.member_order) {
    const fold::Member& member = run.members.at(key);
    ui.line(fmt::format("{:<14}{:>9}{:>9}{:>12}{:>14}  {}", short_key(key), member.accepted,
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
  keys.insert(keys.end(), run.member_order.begin(), run.member_order.end());
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
  Result<Reading> reading = read(options, ui);
  if (!reading) return failed(reading.error(), ui);
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
  print_losses(run, ui);
  print_members(run, ui);
  if (run.refusals_count > 0) {
    ui.line(fmt::format("{} records were refused, the last because: {}", run.refusals_count,
                        run.refusals.back().reason));
  }
  return kOk;
}

Exit credits(const ReadOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Reading> reading = read(options, ui);
  if (!reading) return failed(reading.error(), ui);
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
  Result<Reading> reading = read(options, ui);
  if (!reading) return failed(reading.error(), ui);
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

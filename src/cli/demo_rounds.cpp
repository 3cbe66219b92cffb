#include "cli/demo_rounds.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "format/model.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kFollowMs = 200;
constexpr std::size_t kClosesKept = 12;

template <typename T>
T number(const nlohmann::json& object, const char* key, T otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<T>() : otherwise;
}

void take(VolunteerStats& stats, const nlohmann::json& j) {
  stats.sent_bytes = number(j, "sent_bytes", stats.sent_bytes);
  stats.received_bytes = number(j, "received_bytes", stats.received_bytes);
  stats.once_received_bytes = number(j, "once_received_bytes", stats.once_received_bytes);
  stats.contributions = number(j, "rounds", stats.contributions);
  stats.round = number(j, "round", stats.round);
  stats.step = number(j, "step", stats.step);
  stats.loss_nanos = number(j, "loss_nanos", stats.loss_nanos);
  stats.tokens_per_second = number(j, "tokens_per_second", stats.tokens_per_second);
  if (const auto it = j.find("state"); it != j.end() && it->is_string()) stats.state = *it;
}

const Part* part_named(const std::vector<Part>& parts, const std::string& name) {
  const auto it =
      std::find_if(parts.begin(), parts.end(), [&](const Part& p) { return p.name == name; });
  return it != parts.end() ? &*it : nullptr;
}

std::uint64_t parameters(const fold::Recipe& recipe) {
  return format::ModelLayout::make(recipe.model).value().parameters();
}

}  // namespace

VolunteerStats read_stats(const std::filesystem::path& role_dir) {
  VolunteerStats stats;
  const auto bytes = store::read_file((role_dir / "stats.json").string(), 1 << 20);
  if (!bytes) return stats;
  const auto j = nlohmann::json::parse(text(*bytes), nullptr, false);
  if (j.is_object()) take(stats, j);
  return stats;
}

TrafficSummary mean_traffic(const std::vector<Part>& parts,
                            const std::map<std::string, VolunteerStats>& stats,
                            std::int64_t inner_steps) {
  TrafficSummary mean;
  double count = 0;
  for (const Part& part : parts) {
    const auto it = stats.find(part.name);
    if (!part.honest() || it == stats.end() || it->second.contributions == 0) continue;
    const VolunteerStats& s = it->second;
    mean.up += static_cast<double>(s.sent_bytes);
    mean.once += static_cast<double>(s.once_received_bytes);
    mean.down +=
        static_cast<double>(s.received_bytes - std::min(s.received_bytes, s.once_received_bytes));
    mean.steps += static_cast<double>(s.contributions * inner_steps);
    ++count;
  }
  if (count == 0) return {};
  return {mean.up / count, mean.down / count, mean.once / count, mean.steps / count};
}

Rounds::Rounds(World& world) : world_(world) {
  for (const Part& part : world_.plan.parts) {
    stats_[part.name] = read_stats(world_.paths.role(part.name));
  }
  world_.on_event = [this](const auto& name, const auto& event) { heard(name, event); };
  world_.on_end = [this](const auto& name, const auto& end, auto restart_ms) {
    ended(name, end, restart_ms.has_value());
  };
}

Rounds::~Rounds() {
  world_.on_event = {};
  world_.on_end = {};
}

Status Rounds::start_volunteer(const Part& part) {
  std::vector<std::string> arguments = {
      "join",      world_.run_url(),
      "--dir",     world_.paths.role(part.name).string(),
      "--key",     (world_.paths.role(part.name) / "key.pem").string(),
      "--threads", "1"};
  if (part.cheats) arguments.insert(arguments.end(), {"--misbehave", "sign-flip"});
  // Whoever was excluded is told so and has nothing more to do here.
  return world_.start_role(part.name, std::move(arguments), {kOk, kRefused});
}

Status Rounds::start_roles() {
  for (const char* role : {"coordinator", "validator"}) {
    std::vector<std::string> arguments = {role[0] == 'c' ? "coordinate" : "validate",
                                          world_.run_url(),
                                          "--dir",
                                          world_.paths.role(role).string(),
                                          "--key",
                                          (world_.paths.role(role) / "key.pem").string()};
    if (role[0] == 'c') arguments.insert(arguments.end(), {"--sample-prompt", kDemoPrompt});
    if (role[0] == 'v') {
      arguments.insert(arguments.end(), {"--threads", fmt::format("{}", world_.state.speed.cores)});
    }
    if (const Status started = world_.start_role(role, arguments); !started) return started;
  }
  for (const Part& part : world_.plan.parts) {
    if (part.joins_late && !world_.state.late_started) continue;
    if (const Status started = start_volunteer(part); !started) return started;
  }
  return ok();
}

Status Rounds::run() {
  const std::int64_t began = steady_now_ms();
  const std::int64_t before = world_.state.rounds_ms;
  moved_ms_ = began;
  if (const Status followed = world_.follow(0); !followed) return followed;
  if (const auto* run = world_.run(); run != nullptr && run->phase == fold::Phase::finished) {
    return ok();
  }
  if (const Status started = start_roles(); !started) return started;
  Status going = ok();
  for (;;) {
    going = world_.pump(100);
    if (going) going = world_.follow(kFollowMs);
    if (!going) break;
    news();
    if (going = act(); !going) break;
    draw();
    const fold::RunState* run = world_.run();
    if (run != nullptr && run->phase == fold::Phase::finished) break;
    if (going = check_progress(); !going) break;
  }
  world_.ui.progress_done();
  world_.state.rounds_ms = before + steady_now_ms() - began;
  const Status saved = world_.save();
  return going ? saved : going;
}

Status Rounds::act() {
  const fold::RunState* run = world_.run();
  if (run == nullptr || !run->start) return ok();
  const Script& script = world_.plan.script;
  for (const Part& part : world_.plan.parts) {
    if (part.joins_late && !world_.state.late_started && run->round.number >= script.late_round) {
      world_.say(fmt::format("{} joins late, in round {}", part.name, run->round.number + 1));
      world_.state.late_started = true;
      if (const Status started = start_volunteer(part); !started) return started;
      return world_.save();
    }
    if (!part.is_killed || world_.state.kill_done) continue;
    const VolunteerStats& stats = stats_[part.name];
    const bool in_mid_round = stats.round == run->round.number && stats.step >= 2 &&
                              stats.step < run->recipe.inner.steps &&
                              run->contribution_of(world_.key(part.name)) == nullptr;
    if (run->round.number >= script.kill_round && in_mid_round) {
      world_.say(
          fmt::format("{} is killed (SIGKILL) in the middle of round {}, after inner step {} of {}",
                      part.name, run->round.number + 1, stats.step, run->recipe.inner.steps));
      world_.state.kill_done = true;
      waiting_for_comeback_ = true;
      world_.children().kill(part.name);
      return world_.save();
    }
  }
  return ok();
}

void Rounds::heard(const std::string& name, const nlohmann::json& event) {
  if (part_named(world_.plan.parts, name) == nullptr) return;
  take(stats_[name], event);
}

void Rounds::ended(const std::string& name, const ChildEnd& end, bool comes_back) {
  if (part_named(world_.plan.parts, name) == nullptr) return;
  stats_[name].state = end.clean() ? "finished" : comes_back ? "started again" : "gone";
  stats_[name].step = 0;
  // Who was excluded is told so and goes; that is in the news already.
  if (end.clean() || comes_back || end.code == kRefused || stop_requested()) return;
  world_.say(fmt::format("{} has ended with {} too often and is left alone; its log: {}", name,
                         end.describe(), world_.paths.log(name).string()));
}

void Rounds::news_of(const Part& part, const fold::RunState& run) {
  const fold::Member* member = run.member(world_.key(part.name));
  if (member == nullptr) return;
  const fold::Committed* sent = run.contribution_of(member->key);
  std::string& said = said_[part.name];
  if (member->excluded && said != "excluded") {
    said = "excluded";
    world_.say(fmt::format("{} is excluded: {}", part.name, *member->excluded));
  }
  if (part.joins_late && said.empty() && sent != nullptr) {
    said = "caught up";
    world_.say(fmt::format("{} has caught up: it starts from the very weights on the log ({}…)",
                           part.name, sent->act.base.hex().substr(0, 12)));
  }
  if (part.is_killed && waiting_for_comeback_ && sent != nullptr) {
    waiting_for_comeback_ = false;
    world_.say(fmt::format("{} is back: its contribution to round {} is on the log", part.name,
                           run.round.number + 1));
  }
}

void Rounds::news() {
  const fold::RunState* run = world_.run();
  if (run == nullptr || !run->start) return;
  for (const Part& part : world_.plan.parts) news_of(part, *run);
  if (run->round.phase_index != phase_seen_) {
    phase_seen_ = run->round.phase_index;
    moved_ms_ = steady_now_ms();
  }
  const auto closed = static_cast<std::int64_t>(run->history.size());
  if (closed == round_seen_) return;
  const bool first_look = round_seen_ < 0;
  round_seen_ = closed;
  moved_ms_ = steady_now_ms();
  if (first_look) return;
  closes_ms_.push_back(moved_ms_);
  if (closes_ms_.size() > kClosesKept) closes_ms_.pop_front();
  const DemoView now = view();
  if (!world_.ui.terminal()) world_.ui.line(round_line(now));
  world_.ui.event({{"event", "round"},
                   {"round", now.round},
                   {"rounds", now.rounds},
                   {"loss_nanos", now.loss_now_nanos.value_or(0)},
                   {"sent_bytes", now.sent_bytes},
                   {"data_parallel_bytes", now.data_parallel_bytes}});
}

Status Rounds::check_progress() {
  const fold::RunState* run = world_.run();
  const fold::Recipe& recipe = world_.plan.recipe;
  const std::int64_t patience =
      60'000 + 3 * (recipe.commit_ms + recipe.reveal_ms + recipe.score_ms);
  if (steady_now_ms() - moved_ms_ < patience) return ok();
  return fail(ErrorCode::unavailable,
              fmt::format("the run has stood still in phase \"{}\" for {}; the logs are in {}",
                          run != nullptr ? fold::name(run->phase) : "not there yet",
                          human_seconds(static_cast<double>(patience) / 1000),
                          world_.paths.logs().string()));
}

namespace {

VolunteerRow make_row(const Part& part, const VolunteerStats& stats, const fold::RunState* run,
                      const KeyId& key, unsigned late_round) {
  VolunteerRow row{.name = part.name, .state = stats.state, .step = stats.step};
  row.loss_nanos = stats.loss_nanos;
  row.tokens_per_second = stats.tokens_per_second;
  row.sent_bytes = stats.sent_bytes;
  if (run == nullptr) return row;
  row.steps = run->recipe.inner.steps;
  if (const auto credit = run->credits.find(key); credit != run->credits.end()) {
    row.credit_micros = credit->second.micros();
  }
  const fold::Member* member = run->member(key);
  if (member == nullptr && part.joins_late) {
    row.state = fmt::format("joins in round {}", late_round + 1);
    row.mood = Mood::gone;
  } else if (member != nullptr && member->excluded) {
    row.state = "excluded: " + *member->excluded;
    row.mood = Mood::gone;
  } else if (run->contribution_of(key) != nullptr) {
    row.mood = Mood::good;
  } else if (member != nullptr && member->rejected_streak > 0) {
    row.mood = Mood::bad;
  }
  return row;
}

}  // namespace

DemoView Rounds::view() const {
  DemoView view;
  const fold::RunState* run = world_.run();
  for (const Part& part : world_.plan.parts) {
    view.rows.push_back(make_row(part, stats_.at(part.name), run, world_.key(part.name),
                                 world_.plan.script.late_round));
  }
  view.rounds = world_.plan.recipe.rounds;
  if (run == nullptr) return view;
  view.round = static_cast<std::int64_t>(run->history.size());
  view.phase = fold::name(run->phase);
  for (const fold::ClosedRound& closed : run->history) {
    if (!closed.loss_nanos) continue;
    if (!view.loss_start_nanos) view.loss_start_nanos = closed.loss_nanos;
    view.loss_now_nanos = closed.loss_nanos;
  }
  const TrafficSummary mean = mean_traffic(world_.plan.parts, stats_, run->recipe.inner.steps);
  view.parameters = parameters(run->recipe);
  view.sent_bytes = static_cast<std::uint64_t>(mean.up);
  view.data_parallel_bytes =
      data_parallel_bytes(view.parameters, static_cast<std::uint64_t>(mean.steps));
  double per_round = world_.plan.schedule.round;
  if (closes_ms_.size() >= 3) {
    per_round = static_cast<double>(closes_ms_.back() - closes_ms_.front()) / 1000 /
                static_cast<double>(closes_ms_.size() - 1);
  }
  view.seconds_left = per_round * static_cast<double>(view.rounds - view.round) +
                      world_.plan.schedule.baselines + world_.plan.schedule.ending;
  return view;
}

void Rounds::draw() {
  if (!world_.ui.terminal()) return;
  Ui& ui = world_.ui;
  const auto lines = block_lines(view(), [&](Mood mood, const std::string& text) {
    if (mood == Mood::good) return ui.green(text);
    if (mood == Mood::bad) return ui.yellow(text);
    if (mood == Mood::gone) return ui.dim(text);
    return text;
  });
  ui.block(lines);
}

}  // namespace harambee::cli

#include "node/session.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/rng.h"
#include "node/run_manifest.h"
#include "role/tick.h"

namespace harambee::node {
namespace {

constexpr std::int64_t kPollMsMax = 30'000;
constexpr std::int64_t kOutageMsFirst = 250;
constexpr std::int64_t kOutageMsMax = 30'000;
constexpr std::int64_t kTickWaitMs = 200;
constexpr std::size_t kStatsBytesMax = 64 * 1024;

}  // namespace

Session::Session(const RoleOptions& options, Wire& wire, Clock& clock, const Observer& observer)
    : options_(options), wire_(wire), clock_(clock), observer_(observer) {}

Result<std::unique_ptr<Session>> Session::open(const RoleOptions& options, Wire& wire, Clock& clock,
                                               const Observer& observer) {
  std::unique_ptr<Session> session(new Session(options, wire, clock, observer));
  if (Status opened = session->open_parts(); !opened) return opened.error();
  return session;
}

Status Session::open_parts() {
  const auto& dir = options_.dir;
  if (Status made = store::make_folders((dir / "work").string()); !made) return made;
  if (Status made = store::make_folders((dir / "weights").string()); !made) return made;
  auto lock = store::FileLock::take((dir / "lock").string());
  if (!lock) return wrap(lock.error(), "another process works in " + dir.string());
  lock_.emplace(std::move(*lock));
  if (const auto kept = store::read_file((dir / "stats.json").string(), kStatsBytesMax); kept) {
    if (const auto json = parse_canonical(*kept); json) stats = stats_from_json(*json);
  }
  counted_ = wire_.traffic();
  auto follower = Follower::open({options_.hub_url, dir / "log", options_.vkey}, &wire_);
  if (!follower) return follower.error();
  follower_ = std::move(*follower);
  tell_state("catching up with the log");
  const auto followed = follow(0);
  if (!followed) return followed.error();
  if (!*followed) return fail(ErrorCode::cancelled, "stopped");
  const fold::RunState* run = state().run_named(options_.run_name);
  if (!run) {
    return fail(ErrorCode::not_found,
                "the log of " + options_.hub_url + " has no run named " + options_.run_name);
  }
  run_id_ = run->id;
  auto layout = format::ModelLayout::make(run->recipe.model);
  if (!layout) return layout.error();
  layout_.emplace(std::move(*layout));
  blobs_ = std::make_unique<HubBlobs>(options_.hub_url, dir / "blobs", &wire_, &clock_);
  model_ = std::make_unique<ModelCopy>(dir / "weights", *blobs_);
  publisher_ =
      std::make_unique<Publisher>(*follower_, options_.key, wire_, clock_, dir,
                                  [this](const std::string& why) { tell(Event::Kind::note, why); });
  return ok();
}

Result<bool> Session::follow(std::optional<std::int64_t> wait_ms) {
  std::int64_t wait = wait_ms.value_or(options_.poll_ms);
  if (!wait_ms && publisher_) {
    if (const auto deadline = run().deadline_ms()) {
      wait = std::min(wait, std::max(*deadline - log_time_ms(), kTickWaitMs));
    }
  }
  wait = std::clamp<std::int64_t>(wait, 0, kPollMsMax);
  for (;;) {
    if (stopping()) return false;
    const auto followed = follower_->follow(wait);
    count_traffic();
    if (followed) {
      outages_ = 0;
      return true;
    }
    if (followed.error().code == ErrorCode::cancelled) return false;
    if (followed.error().code != ErrorCode::unavailable) return followed.error();
    tell_state("waiting for the hub");
    const auto went_on = wait_out(followed.error());
    if (!went_on || !*went_on) return went_on;
    wait = 0;
  }
}

std::int64_t Session::log_time_ms() {
  if (state().now_ms() != tick_known_ms_) {
    tick_known_ms_ = state().now_ms();
    tick_known_at_ms_ = clock_.steady_ms();
  }
  return role::log_time(state(), clock_.unix_ms(), clock_.steady_ms() - tick_known_at_ms_);
}

Result<bool> Session::follow_as_timekeeper() {
  const std::int64_t now_ms = log_time_ms();
  if (run().tick_would_advance(now_ms) || run().tick_would_open(now_ms, state().now_ms())) {
    // One was asked for too early, or is on its way.
    return follow(std::min(options_.poll_ms, std::max(state().tick_ms, kTickWaitMs)));
  }
  return follow();
}

Result<bool> Session::tick() {
  const Status asked = publisher_->ask_for_tick();
  if (!asked) return wait_out(asked.error());
  return follow(kTickWaitMs);
}

bool Session::peek() {
  const bool followed = follower_->follow(0).ok();
  hub_was_away_ = hub_was_away_ || !followed;
  count_traffic();
  return followed;
}

std::optional<std::string> Session::refusal_of(const RecordId& id) const {
  for (const auto* refusals : {&run().refusals, &state().refusals}) {
    for (const fold::Refusal& refusal : *refusals) {
      if (refusal.place.id == id) return refusal.reason;
    }
  }
  return std::nullopt;
}

void Session::sent() {
  hub_was_away_ = false;
  sent_ms_ = clock_.steady_ms();
}

bool Session::look_again_due() {
  const bool long_ago = clock_.steady_ms() - sent_ms_ >= options_.look_again_ms;
  if (!hub_was_away_ && !long_ago) return false;
  sent();
  return true;
}

Result<bool> Session::wait_out(const Error& error) {
  hub_was_away_ = hub_was_away_ || error.code == ErrorCode::unavailable;
  if (error.code == ErrorCode::cancelled) {
    if (stopping()) return false;
  } else if (error.code != ErrorCode::unavailable && error.code != ErrorCode::not_found) {
    return error;
  } else if (last_wait_ != error.message) {  // said once
    last_wait_ = error.message;
    tell(Event::Kind::note, error.message + "; trying again");
  }
  const std::int64_t base = std::min(kOutageMsMax, kOutageMsFirst << std::min(outages_, 10));
  const std::uint64_t spread = draw(options_.key.id(), static_cast<std::uint64_t>(outages_), 1);
  ++outages_;
  return clock_.wait_ms(base / 2 +
                        static_cast<std::int64_t>(spread % static_cast<std::uint64_t>(base)));
}

Result<format::DataManifest> Session::manifest() {
  if (manifest_) return *manifest_;
  const auto bytes = blobs_->fetch_bytes(run().data);
  if (!bytes) return wrap(bytes.error(), "the data manifest");
  auto parsed = read_run_manifest(run(), *bytes);
  if (!parsed) {
    return fail(ErrorCode::corrupt, "the run's data manifest: " + parsed.error().message);
  }
  manifest_ = *parsed;
  return *manifest_;
}

Result<std::vector<std::filesystem::path>> Session::shard_files(
    const std::vector<format::Shard>& shards) {
  std::vector<std::filesystem::path> files;
  const bool once = once_;
  count_once(true);
  for (const format::Shard& shard : shards) {
    auto file = blobs_->fetch({shard.digest, shard.size, ""});
    if (!file) {
      count_once(once);
      return wrap(file.error(), "the data");
    }
    files.push_back(std::move(*file));
  }
  count_once(once);
  return files;
}

TrainerOptions Session::trainer_options(const std::string& name) {
  TrainerOptions trainer;
  trainer.argv = options_.trainer;
  trainer.dir = options_.dir / name;
  trainer.threads = options_.threads;
  trainer.stall_ms = options_.stall_ms;
  trainer.keep_going = [this] { return !stopping(); };
  return trainer;
}

std::unique_ptr<TrainerProcess> Session::make_trainer() {
  return std::make_unique<TrainerProcess>(trainer_options("work"), run().recipe.model);
}

void Session::count_traffic() {
  const Traffic now = wire_.traffic();
  const std::uint64_t received = now.received_bytes - counted_.received_bytes;
  stats.sent_bytes += now.sent_bytes - counted_.sent_bytes;
  stats.received_bytes += received;
  if (once_) stats.once_received_bytes += received;
  counted_ = now;
}

void Session::count_once(bool once) {
  count_traffic();
  once_ = once;
}

void Session::tell(Event::Kind kind, const std::string& text) {
  count_traffic();
  if (observer_) observer_({kind, text, stats});
}

void Session::tell_state(const std::string& what) {
  if (stats.state == what) return;
  stats.state = what;
  tell(Event::Kind::state, what);
}

void Session::save_stats() {
  count_traffic();
  // Losing them is no reason to stop.
  static_cast<void>(store::write_file_atomic((options_.dir / "stats.json").string(),
                                             view(write(Json(to_json(stats))))));
}

}  // namespace harambee::node

// What every role's loop stands on: the directory and its lock, the followed log, blobs, the run's
// weights, the publisher, and the account of traffic. Internal to this room.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/state.h"
#include "format/data.h"
#include "format/model.h"
#include "node/follower.h"
#include "node/hub_blobs.h"
#include "node/model_copy.h"
#include "node/observer.h"
#include "node/publisher.h"
#include "node/role_options.h"
#include "node/trainer_process.h"
#include "port/clock.h"
#include "port/wire.h"
#include "store/file.h"

namespace harambee::node {

class Session {
 public:
  // Opens options.dir (conflict: another process has it), brings the log up to date (waiting out
  // outages) and finds the run. not_found: the log has no run of that name.
  [[nodiscard]] static Result<std::unique_ptr<Session>> open(const RoleOptions& options, Wire& wire,
                                                             Clock& clock,
                                                             const Observer& observer);

  [[nodiscard]] const fold::LogState& state() const { return follower_->state(); }
  [[nodiscard]] const fold::RunState& run() const { return *follower_->state().run(run_id_); }
  [[nodiscard]] const format::ModelLayout& layout() const { return *layout_; }
  [[nodiscard]] KeyId me() const { return publisher_->author(); }
  [[nodiscard]] HubBlobs& blobs() { return *blobs_; }
  [[nodiscard]] ModelCopy& model() { return *model_; }
  [[nodiscard]] Publisher& publisher() { return *publisher_; }
  [[nodiscard]] Clock& clock() { return clock_; }
  [[nodiscard]] const RoleOptions& options() const { return options_; }
  [[nodiscard]] std::filesystem::path work(const std::string& name) const {
    return options_.dir / "work" / name;
  }

  // Follows the log; waits up to `wait_ms` for news (none: until the phase's deadline or
  // options.poll_ms). Outages are waited out here. False: the person has asked to stop.
  [[nodiscard]] Result<bool> follow(std::optional<std::int64_t> wait_ms = std::nullopt);
  // follow() for roles that ask for ticks: no longer than until one would end the phase.
  [[nodiscard]] Result<bool> follow_as_timekeeper();
  // Log time as far as this process can tell (role/tick.h).
  [[nodiscard]] std::int64_t log_time_ms();
  // Asks the hub for a tick, and follows.
  [[nodiscard]] Result<bool> tick();
  // Follows once, without waiting for anything. False: the log could not be had now.
  [[nodiscard]] bool peek();
  // After a failure that may pass (unavailable, not_found, cancelled): tells, waits a little and
  // follows. Other errors are handed back.
  [[nodiscard]] Result<bool> wait_out(const Error& error);
  // Blobs that others wait for may be gone from a hub that had taken them: whatever puts back an
  // older copy of it, or the newer one again, loses those of the other. Whoever sends one says
  // sent(), and looks once more when look_again_due(): when the hub was away since, or after
  // options.look_again_ms. That begins the time anew.
  void sent();
  [[nodiscard]] bool look_again_due();
  [[nodiscard]] bool stopping() { return !clock_.wait_ms(0); }

  // The run's data manifest and its files, fetched if they are not here.
  [[nodiscard]] Result<format::DataManifest> manifest();
  [[nodiscard]] Result<std::vector<std::filesystem::path>> shard_files(
      const std::vector<format::Shard>& shards);

  // A trainer for this run's model, with the options of this role.
  [[nodiscard]] std::unique_ptr<TrainerProcess> make_trainer();
  // Those options, but for another work directory beside the trainer's own.
  [[nodiscard]] TrainerOptions trainer_options(const std::string& name);

  // Why a logged record of this run changed nothing, if so.
  [[nodiscard]] std::optional<std::string> refusal_of(const RecordId& id) const;

  // The account. What is received while `once` is set is counted as paid once.
  Stats stats;
  void count_once(bool once);
  void tell(Event::Kind kind, const std::string& text);
  void tell_state(const std::string& what);  // only if it changed
  void save_stats();

 private:
  Session(const RoleOptions& options, Wire& wire, Clock& clock, const Observer& observer);
  [[nodiscard]] Status open_parts();
  void count_traffic();

  RoleOptions options_;
  Wire& wire_;
  Clock& clock_;
  Observer observer_;
  std::optional<store::FileLock> lock_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<HubBlobs> blobs_;
  std::unique_ptr<ModelCopy> model_;
  std::unique_ptr<Publisher> publisher_;
  std::optional<format::ModelLayout> layout_;
  std::optional<format::DataManifest> manifest_;
  RecordId run_id_;
  std::int64_t tick_known_ms_ = 0;     // the newest tick
  std::int64_t tick_known_at_ms_ = 0;  // steady clock when it was first seen
  Traffic counted_;
  bool once_ = true;
  int outages_ = 0;            // in a row
  bool hub_was_away_ = false;  // since sent()
  std::int64_t sent_ms_ = 0;   // steady clock
  std::string last_wait_;
};

}  // namespace harambee::node

// Faults, placed so that a legal recovery exists: never more than a third of the members at once,
// never the only copy of anything, and in the end everything but the malice heals.
#include <algorithm>

#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::uint32_t kEndOfOldCopy = 1;

constexpr std::array kPlaced{Fault::partition, Fault::sleep,  Fault::coordinator,
                             Fault::hub_crash, Fault::torn,   Fault::backup,
                             Fault::two_faced, Fault::censor, Fault::clock};

}  // namespace

void World::trouble() {
  if (healed_) return;
  std::vector<Fault> possible;
  for (const Fault fault : kPlaced) {
    if (plan_.faults.has(fault)) possible.push_back(fault);
  }
  if (possible.empty()) return;
  place(possible[trouble_.below(possible.size())]);
  Event event;
  event.what = What::trouble;
  at(trouble_.between(1, 2 * plan_.trouble_ms), event);
}

void World::place(Fault fault) {
  switch (fault) {
    case Fault::hub_crash:
    case Fault::torn:
    case Fault::backup:
    case Fault::two_faced:
      return place_hub_fault(fault);
    case Fault::clock:
      return jump_clock();
    default:
      return place_peer_fault(fault);
  }
}

void World::place_peer_fault(Fault fault) {
  if (fault == Fault::coordinator) {
    doomed_ = coordinator_;
    return;
  }
  const std::uint32_t index = some_member();
  Peer& peer = peers_[index];
  std::uint32_t affected = 0;
  for (const Peer& one : peers_) affected += one.cut || one.censored || one.asleep_until > now_ms_;
  if (3 * (affected + 1) > config_.peers) {  // somebody comes back instead
    for (Peer& one : peers_) one.cut = one.censored = false;
    return;
  }
  if (fault == Fault::partition) {
    peer.cut = true;
    report_.reached(Probe::partitioned);
    report_.log(who(index), "cannot reach the hub any more");
  } else if (fault == Fault::censor) {
    peer.censored = true;
    report_.log(who(index), "is censored by the hub");
  } else if (peer.up) {
    peer.asleep_until = now_ms_ + trouble_.between(5'000, 3'600'000);
    report_.reached(Probe::slept);
    report_.log(who(index), "its laptop sleeps");
  }
}

void World::jump_clock() {
  const bool forward = trouble_.chance(1, 2);
  const std::int64_t jump = trouble_.between(1'000, 3 * kDayMs) * (forward ? 1 : -1);
  report_.reached(forward ? Probe::clock_forward : Probe::clock_back);
  if (trouble_.chance(1, 3)) {
    hubs_[0]->clock.skew_ms = jump;
    report_.log("hub", "its clock jumps by " + std::to_string(jump) + " ms");
    return;
  }
  const auto official = static_cast<std::uint32_t>(trouble_.below(first_member_));
  peers_[official].skew_ms = jump;
  report_.log(who(official), "its clock jumps by " + std::to_string(jump) + " ms");
}

void World::place_hub_fault(Fault fault) {
  Hub& hub = *hubs_[0];
  if (!hub.up || copy_ != Copy::none) return;
  if (fault == Fault::backup) {
    if (config_.peers <= 1000) use_backup();
    return;
  }
  if (fault == Fault::two_faced) {
    if (config_.peers > 1000) return;
    return hubs_.size() == 1 ? two_faces() : one_face();
  }
  kill_done_ = fault == Fault::torn || trouble_.chance(1, 2);
  tear_ = fault == Fault::torn;
  hub.disk.kill_at(static_cast<std::uint64_t>(trouble_.between(1, 12)), kill_done_);
  want_batch(0);
}

void World::use_backup() {
  Hub& hub = *hubs_[0];
  if (!backup_) {
    backup_ = hub.disk.platters();
    report_.log("hub", "a backup is made");
    return;
  }
  if (hubs_.size() > 1 && hubs_[1]->up) return;
  // Whoever knows no more than the old copy follows it, and is lost to the true log. The
  // officials and most members must know better.
  const std::uint64_t old = backup_->database.head.size;
  std::uint32_t behind = 0;
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    const bool knows = peers_[i].head != kNone && heads_[peers_[i].head].size > old;
    if (!knows && i < first_member_) return;
    behind += knows ? 0 : 1;
  }
  if (4 * behind > config_.peers) return;
  copy_ = trouble_.chance(1, 2) ? Copy::old_database : Copy::old_copy;
  copy_served_ = false;
  hub.disk.revive();  // no other plan meanwhile
  newest_ = hub.disk.platters();
  true_state_ = hub.state;
  true_head_ = hub.head;
  kill_hub(0, 500);
}

// A log that shares the first `size` entries with the true one.
std::uint32_t World::fork_lineage(std::uint64_t size) {
  Lineage fork;
  for (const auto& [at_size, root] : lineages_[0].roots) {
    if (at_size <= size) fork.roots[at_size] = root;
  }
  lineages_.push_back(std::move(fork));
  return static_cast<std::uint32_t>(lineages_.size() - 1);
}

void World::end_old_copy() {
  Hub& hub = *hubs_[0];
  hub.disk.platters() = *newest_;  // blobs that came meanwhile are lost
  hub.state = true_state_;
  hub.head = true_head_;
  hub.lineage = 0;
  ++hub.epoch;
  newest_.reset();
  backup_.reset();
  copy_ = Copy::none;
}

void World::hub_up(std::uint32_t which) {
  Hub& hub = *hubs_[which];
  if (hub.up) return;
  if (copy_ != Copy::none && copy_served_) end_old_copy();
  const bool torn_before = !torn_file_.empty();
  if (torn_before) {
    hub.disk.platters().files[torn_file_] = torn_bytes_;
    report_.reached(Probe::repaired);
    report_.log("hub", "an operator puts " + torn_file_ + " right");
    torn_file_.clear();
  } else if (tear_ && !hub.disk.newest_file().empty() && copy_ == Copy::none) {
    tear_ = false;
    Bytes& file = hub.disk.platters().files[hub.disk.newest_file()];
    if (!file.empty()) {
      torn_file_ = hub.disk.newest_file();
      torn_bytes_ = file;
      file.resize(trouble_.below(file.size()));
      report_.log("hub", torn_file_ + " is torn");
    }
  }
  if (copy_ == Copy::old_database) {
    hub.disk.platters().database = backup_->database;
    copy_served_ = true;
  } else if (copy_ == Copy::old_copy) {
    hub.disk.platters() = *backup_;
    copy_served_ = true;
    hub.lineage = fork_lineage(backup_->database.head.size);
    hub.state = fold::LogState();
    report_.reached(Probe::old_backup);
    report_.log("hub", "an old copy of everything is put back");
  }
  const bool spoilt = !torn_file_.empty() || copy_ == Copy::old_database;
  open_hub(hub);
  if (!hub.up) return;
  if (const auto damage = hub.sequencer->damage()) {
    report_.check(spoilt, "I2", "a plain crash damaged the log: " + *damage);
    report_.reached(copy_ == Copy::old_database ? Probe::old_database : Probe::hub_read_only);
    report_.log("hub", "is read-only: " + *damage);
    return kill_hub(which, trouble_.between(2'000, 20'000));
  }
  if (copy_ == Copy::old_database) return kill_hub(which, 1000);  // nothing was logged since
  if (advance(hub) && copy_ == Copy::none) report_.reached(Probe::hub_recovered);
  if (hub.head == kNone || copy_ != Copy::none || torn_before) publish_head(hub);
  if (copy_ == Copy::old_copy) {
    hub.disk.kill_at(static_cast<std::uint64_t>(trouble_.between(20, 200)), true);
  }
}

void World::two_faces() {
  const Hub& hub = *hubs_[0];
  if (hub.disk.killed() || !torn_file_.empty()) return;
  hubs_.push_back(std::make_unique<Hub>(now_ms_));
  Hub& other = *hubs_[1];
  other.disk.platters() = hubs_[0]->disk.platters();
  other.state = hub.state;
  other.lineage = fork_lineage(hub.state.frontier.size());
  other.epoch = hub.epoch + 1'000'000;
  open_hub(other);
  if (!other.up || other.sequencer->damage()) {
    other.up = false;
    return;
  }
  advance(other);
  publish_head(other);
  report_.reached(Probe::forked);
  for (std::uint32_t i = first_member_; i < peers_.size(); ++i) {
    if (!trouble_.chance(1, 4)) continue;
    peers_[i].hub = 1;
    report_.log(who(i), "is shown another log");
  }
}

void World::one_face() {
  hubs_[1]->up = false;
  for (Peer& peer : peers_) peer.hub = 0;
}

void World::heal() {
  healed_ = true;
  healed_ms_ = now_ms_;
  last_close_ms_ = now_ms_;
  doomed_ = kNone;
  report_.log("world", "everything heals but the malice");
  if (hubs_.size() > 1) one_face();
  Hub& hub = *hubs_[0];
  tear_ = false;
  hub.clock.skew_ms = 0;
  if (!hub.disk.killed()) hub.disk.revive();
  if (copy_ == Copy::old_copy) kill_hub(0, 1000);
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    peer.cut = peer.censored = false;
    peer.asleep_until = 0;
    peer.skew_ms = 0;
    // Whoever stopped before another log, and has not followed it, goes on with the true one.
    if (peer.stuck && lineages_[heads_[peer.head].lineage].roots.size() > 0 &&
        heads_[peer.head].lineage == 0) {
      peer.stuck = false;
    }
    if (peer.up && !peer.stuck) set_timer(i, 1);
  }
}

}  // namespace harambee::sim

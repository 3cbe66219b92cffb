#include "sim/world.h"

#include <algorithm>

namespace harambee::sim {
namespace {

constexpr std::int64_t kVirtualMsMax = 400LL * 24 * 3600 * 1000;  // clock faults included

}  // namespace

std::uint32_t Mailroom::put(Parcel parcel) {
  if (free_.empty()) {
    slots_.push_back(std::move(parcel));
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  slots_[slot] = std::move(parcel);
  return slot;
}

Parcel Mailroom::take(std::uint32_t slot) {
  if (slot == kNone) return {};
  Parcel parcel = std::move(slots_[slot]);
  drop(slot);
  return parcel;
}

void Mailroom::drop(std::uint32_t slot) {
  if (slot == kNone) return;
  slots_[slot] = std::monostate();
  free_.push_back(slot);
}

World::World(const Config& config, Report& report)
    : config_(config),
      report_(report),
      plan_(draw_plan(config)),
      network_(config.seed, "network"),
      chance_(config.seed, "peers"),
      trouble_(config.seed, "trouble"),
      hub_key_(SecretKey::from_seed(Stream::of(config.seed, "hub key").bytes)),
      maintainer_(SecretKey::from_seed(Stream::of(config.seed, "maintainer key").bytes)) {
  report_.summary.seed = config.seed;
  report_.summary.faults = plan_.faults.str();
  make_peers();
  open_run();
}

void World::at(std::int64_t delay_ms, const Event& event) {
  queue_.push(now_ms_ + std::max<std::int64_t>(delay_ms, 0), event);
}

std::string World::who(std::uint32_t peer) const {
  if (peer == coordinator_) return "coord";
  if (peer < first_member_) return "v" + std::to_string(peer);
  return "m" + std::to_string(peer - first_member_);
}

Desk& World::desk(Peer& peer) {
  if (!peer.desk) peer.desk = std::make_unique<Desk>();
  return *peer.desk;
}

std::int64_t World::network_ms(const Peer& peer, std::size_t bytes) {
  std::int64_t ms =
      peer.latency_ms +
      static_cast<std::int64_t>(network_.below(static_cast<std::uint64_t>(plan_.jitter_ms))) +
      static_cast<std::int64_t>(bytes / peer.bytes_per_ms);
  if (!healed_ && plan_.delayed > 0 && network_.chance(plan_.delayed, 10'000)) {
    ms += network_.between(1, plan_.delay_ms_max);
  }
  return ms;
}

// One message between a peer and its hub. It may be lost, come late or twice.
void World::send(Event event, std::size_t bytes, Parcel parcel) {
  const Peer& peer = peers_[event.peer];
  if (peer.cut) return;
  event.life = peer.life;
  event.hub = peer.hub;
  if (!healed_ && plan_.lost > 0 && network_.chance(plan_.lost, 10'000)) return;
  const bool twice = !healed_ && plan_.doubled > 0 && network_.chance(plan_.doubled, 10'000);
  const bool empty = std::holds_alternative<std::monostate>(parcel);
  if (twice) {
    event.b = empty ? kNone : mail_.put(parcel);
    at(network_ms(peer, bytes), event);
  }
  event.b = empty ? kNone : mail_.put(std::move(parcel));
  at(network_ms(peer, bytes), event);
}

void World::deliver(const Event& event) {
  switch (event.what) {
    case What::poll:
      return on_poll(event);
    case What::submit:
      return on_submit(event);
    case What::upload:
      return on_upload(event);
    case What::fetch:
      return on_fetch(event);
    case What::ask_tick:
      return on_ask_tick(event);
    case What::show:
      return on_show(event);
    case What::answer:
      return on_answer(event);
    case What::receipt:
      return on_receipt(event);
    case What::uploaded:
      return on_uploaded(event);
    case What::fetched:
      return on_fetched(event);
    case What::trained:
      return on_trained(event);
    default:
      break;
  }
}

void World::step(const Event& event) {
  switch (event.what) {
    case What::batch:
      return batch(event.peer);
    case What::hub_up:
      return hub_up(event.peer);
    case What::trouble:
      return trouble();
    case What::heal:
      return heal();
    case What::look:
      return on_look(event.peer);
    case What::restart:
      return on_restart(event.peer);
    case What::poll:
    case What::submit:
    case What::upload:
    case What::fetch:
    case What::ask_tick:
    case What::show:
      if (event.hub < hubs_.size() && hubs_[event.hub]->up) return deliver(event);
      return mail_.drop(event.b);
    default:
      break;
  }
  // For a peer's process: gone, asleep or there.
  Peer& peer = peers_[event.peer];
  if (!peer.up || event.life != peer.life) return mail_.drop(event.b);
  const bool own = event.what == What::wake || event.what == What::trained;
  if (peer.asleep_until > now_ms_) {
    if (!own) return mail_.drop(event.b);
    return at(peer.asleep_until - now_ms_ + 1, event);
  }
  if (event.what == What::wake) {
    if (event.a == peer.timer) on_wake(event.peer);
    return;
  }
  deliver(event);
}

bool World::done() const { return finished_ || report_.failed() || now_ms_ > kVirtualMsMax; }

void World::run() {
  while (!queue_.empty() && !done()) {
    const Event event = queue_.pop();
    now_ms_ = queue_.now_ms();
    report_.now_ms = now_ms_;
    ++events_;
    step(event);
  }
  finish();
}

void World::finish() {
  const fold::RunState* run = run_of(*hubs_[0]);
  if (!report_.failed()) check_end();
  Summary& summary = report_.summary;
  summary.events = events_;
  summary.records = hubs_[0]->state.frontier.size();
  summary.rounds_closed = run ? run->history.size() : 0;
  summary.virtual_ms = now_ms_;
  summary.queue_most = queue_.most();
  if (run && !run->history.empty()) {
    summary.first_loss_nanos = run->history.front().loss_nanos.value_or(0);
    summary.last_loss_nanos = run->history.back().loss_nanos.value_or(0);
  }
  Bytes tail;
  put_u64be(tail, events_);
  put_u64be(tail, network_.next());
  put_u64be(tail, chance_.next());
  put_u64be(tail, trouble_.next());
  summary.fingerprint = sha256(
      {hubs_[0]->state.frontier.root().view(), tail, run ? run->weights.view() : View(tail)});
}

}  // namespace harambee::sim

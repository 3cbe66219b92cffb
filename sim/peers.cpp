// What all peers do alike: follow the log, keep their place in it, send a record until it is there.
#include <algorithm>

#include "record/build.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::int64_t kLookMs = 30'000;       // the longest a long poll may take
constexpr std::int64_t kResendMs = 4'000;      // a record or blob without an answer
constexpr std::int64_t kLookAgainMs = 60'000;  // for blobs, node/role_options.h
constexpr std::int64_t kAgainMs = 5'000;       // after nonsense from the hub
constexpr std::size_t kPollBytes = 200;
constexpr std::uint32_t kAskedAnyway = 2048;  // of up to so many members all minds are asked

std::optional<std::int64_t> round_or_none(std::int64_t number) {
  return number < 0 ? std::nullopt : std::optional(number);
}

}  // namespace

void World::poll(std::uint32_t index) {
  Peer& peer = peers_[index];
  if (peer.stuck) return;
  Event event;
  event.what = What::poll;
  event.peer = index;
  event.a = ++peer.question;
  peer.asked_at = now_ms_;
  send(event, kPollBytes, {});
}

void World::set_timer(std::uint32_t index, std::int64_t delay_ms) {
  Peer& peer = peers_[index];
  Event event;
  event.what = What::wake;
  event.peer = index;
  event.a = ++peer.timer;
  event.life = peer.life;
  at(delay_ms, event);
}

std::optional<Parcel> World::decide(Peer& peer, const Hub& hub) {
  const fold::RunState* run = run_of(hub);
  if (!run) return std::nullopt;
  if (peer.writing && !peer.desk->pending.empty()) {
    if (peer.desk->in_flight) return std::nullopt;
    const Desk& desk = *peer.desk;
    if (desk.refused) {
      return Resume{true, true, hub.state.next_seq(peer.id), hub.state.prev(peer.id)};
    }
    const bool open = desk.pending_round == run->round.number;
    bool wanted = true;
    if (desk.pending_kind == "contribution") wanted = open && run->phase == fold::Phase::commit;
    if (desk.pending_kind == "score") wanted = open && run->phase == fold::Phase::score;
    const bool ends = desk.pending_kind == "close" || desk.pending_kind == "void";
    if (ends) wanted = open && run->phase == fold::Phase::closing;
    return Resume{wanted, false, 0, {}};
  }
  std::optional<Decision> decision = peer.role == Role::trainer ? decide_member(peer, hub, *run)
                                                                : decide_official(peer, hub, *run);
  if (!decision) return std::nullopt;
  decision->seq = hub.state.next_seq(peer.id);
  decision->prev = hub.state.prev(peer.id);
  decision->log_ms = hub.state.now_ms();
  return decision;
}

// Whether it stays away from this round.
bool World::is_away(const fold::RunState& run, Peer& peer) const {
  const auto round = static_cast<std::uint32_t>(run.round.number);
  if (peer.away_in == round) return true;
  if (!crowded(run, peer) || !stays_away(peer, run.round.number)) return false;
  peer.away_in = round;
  return true;
}

// Found once, then by its place, which another log may give to another.
const fold::Member* World::member_of(const fold::RunState& run, Peer& peer) const {
  if (peer.ordinal < run.members.size()) {
    const fold::Member& there = run.members[peer.ordinal];
    if (there.key == peer.id) return &there;
  }
  const fold::Member* member = run.member(peer.id);
  if (member) peer.ordinal = static_cast<std::uint32_t>(member->ordinal);
  return member;
}

// A member whose mind has said that it waits, and that has sent nothing in the round, is calm: in
// the phases in which it cannot train, nothing gives it something to do but an audit of its work or
// the close of a round that it took part in, and those take the calm away (check_audits,
// check_close); what it may complain of comes with a close, too (note_works). Most of a crowd is
// asked by this alone, without a look at the member in the fold. In simulations of up to
// kAskedAnyway members the minds are asked all the same, and compared.
bool World::at_rest(const fold::RunState& run, Peer& peer) const {
  if (!peer.calm || peer.epoch == 0) return false;
  if (run.phase == fold::Phase::commit) return is_away(run, peer);
  return run.phase == fold::Phase::score || run.phase == fold::Phase::closing;
}

bool World::stays_calm(const fold::RunState& run, const Peer& peer,
                       const fold::Member* member) const {
  const bool one_log = !plan_.faults.has(Fault::backup) && !plan_.faults.has(Fault::two_faced);
  return one_log && peer.conduct == Conduct::honest && twice_ == kNone && member && !member->left &&
         !member->excluded && peer.attempted != run.round.number && !run.has_contributed(*member);
}

std::optional<Decision> World::decide_member(Peer& peer, const Hub& hub,
                                             const fold::RunState& run) {
  if (peer.epoch == hub.epoch) return std::nullopt;
  const bool rests = at_rest(run, peer);
  if (rests && config_.peers > kAskedAnyway) return std::nullopt;
  const fold::Member* member = member_of(run, peer);
  const bool away = is_away(run, peer);
  peer.calm = false;
  role::TrainerFacts facts{peer.identify_sent, peer.join_sent, round_or_none(peer.attempted),
                           round_or_none(peer.uploaded)};
  if (peer.desk && !peer.desk->states_done.empty()) facts.states_done = peer.desk->states_done;
  if (peer.desk && !peer.desk->disputed.empty()) facts.disputed = peer.desk->disputed;
  auto action = role::decide_trainer(hub.state, run, peer.id, member, facts);
  if (twice_ != kNone && &peer == &peers_[twice_]) insist(run, action);
  if (peer.conduct != Conduct::honest) intrude(run, peer, action);
  const bool waits = std::holds_alternative<role::trainer::Wait>(action);
  const bool trains = std::holds_alternative<role::trainer::Train>(action);
  const auto dispute = waits ? complaint(run, peer) : std::nullopt;
  if (dispute) action = *dispute;
  if (std::holds_alternative<role::trainer::Wait>(action) || (trains && away)) {
    peer.calm = stays_calm(run, peer, member);
    return std::nullopt;
  }
  report_.check(!rests || dispute, "I4",
                "a member that was taken to be at rest has something to do");
  Decision decision;
  decision.action = std::move(action);
  return decision;
}

std::optional<Decision> World::decide_official(Peer& peer, const Hub& hub,
                                               const fold::RunState& run) {
  if (peer.desk && (peer.desk->score || peer.desk->close)) return std::nullopt;
  role::TickFacts clock{log_time(peer, hub.state), {}};
  if (peer.tick_asked_ms >= 0) clock.asked_ms = peer.tick_asked_ms;
  Decision decision;
  if (peer.role == Role::coordinator) {
    const auto scored = round_or_none(peer.desk ? peer.desk->scored : -1);
    auto action = role::decide_coordinator(
        hub.state, run, peer.id,
        {clock, peer.identify_sent, round_or_none(peer.attempted), scored});
    if (std::holds_alternative<role::coordinator::Wait>(action)) return std::nullopt;
    decision.action = std::move(action);
    return decision;
  }
  auto action = role::decide_validator(hub.state, run, peer.id,
                                       {clock, peer.identify_sent, round_or_none(peer.attempted)});
  if (peer.liar) intrude(run, peer, action);
  const bool wait = std::holds_alternative<role::validator::Wait>(action);
  decision.action = std::move(action);
  // As node/validator: audits while nothing else is to be done.
  role::AuditorFacts audits{std::string(fold::kExactClass), {}};
  if (plan_.inexact) audits.inexact = {kInexactClass};
  if (peer.desk) audits.given_up = peer.desk->given_up;
  auto again = role::decide_auditor(run, peer.id, audits);
  if (!wait) return decision;
  if (!std::holds_alternative<role::auditor::Repeat>(again)) return std::nullopt;
  decision.action = std::get<role::auditor::Repeat>(std::move(again));
  return decision;
}

// A member that has committed, and commits again.
void World::insist(const fold::RunState& run, role::trainer::Action& action) {
  const Peer& peer = peers_[twice_];
  if (run.phase != fold::Phase::commit || !run.contribution_of(peer.id)) return;
  action = uncalled_work(run, peer);
  twice_ = kNone;
}

role::trainer::Train World::uncalled_work(const fold::RunState& run, const Peer& peer) const {
  role::trainer::Train train;
  train.round = run.round.number;
  train.base = run.weights;
  train.ordinal = run.member(peer.id)->ordinal;
  train.seed = run.id;
  return train;
}

// An attacker whom the draw has left out commits all the same, and so does a suspended one.
void World::intrude(const fold::RunState& run, const Peer& peer, role::trainer::Action& action) {
  const fold::Member* member = run.member(peer.id);
  if (run.phase != fold::Phase::commit || !member || peer.attempted == run.round.number) return;
  if (!run.left_out(peer.id) && !member->suspended) return;
  if (std::holds_alternative<role::trainer::RevealStates>(action)) return;
  action = uncalled_work(run, peer);
}

// A lying validator whom the draw has left out scores all the same, once it has an identity there.
void World::intrude(const fold::RunState& run, const Peer& peer, role::validator::Action& action) {
  if (std::holds_alternative<role::validator::Identify>(action)) return;
  const bool out = run.phase == fold::Phase::score && !run.round.committee.empty() &&
                   std::ranges::find(run.round.committee, peer.id) == run.round.committee.end();
  if (!out || run.score_of(peer.id) || peer.attempted == run.round.number) return;
  role::validator::Score score;
  score.round = run.round.number;
  score.base = run.weights;
  score.seed = *run.round.score_seed;
  for (const fold::Committed& committed : run.round.contributions) {
    score.contributions.push_back(
        {committed.place.id, committed.author, committed.act.delta, committed.act.domain});
  }
  score.reveal_deadline_ms = run.round.phase_ms + run.recipe.reveal_ms;
  score.score_deadline_ms = *run.deadline_ms();
  action = std::move(score);
}

// Without a draw a crowd would train for 128 places: most stay away.
bool World::crowded(const fold::RunState& run, const Peer& peer) const {
  return config_.peers > 256 && (run.round.cohort.empty() || run.left_out(peer.id));
}

// The same answer for one peer in one round, however often it asks.
bool World::stays_away(const Peer& peer, std::int64_t round) const {
  std::uint64_t mixed = config_.seed + 0x9e3779b97f4a7c15 * static_cast<std::uint64_t>(round + 1);
  mixed ^= get_u64be(peer.id.bytes.data());
  mixed = (mixed ^ (mixed >> 31)) * 0x94d049bb133111eb;
  return (mixed ^ (mixed >> 29)) % config_.peers >= 150;
}

// Whether what the hub shows continues what this peer has seen: the root of its own prefix must be
// among those under the new checkpoint, as node/follower checks with the entries themselves.
bool World::consistent(Peer& peer, std::uint32_t head) {
  if (peer.head == kNone) return true;
  const Head& mine = heads_[peer.head];
  const Head& shown = heads_[head];
  if (shown.size < mine.size) {
    report_.reached(Probe::shorter_log);
    return false;
  }
  if (shown.lineage == mine.lineage) return true;
  const auto& there = lineages_[shown.lineage].roots;
  const auto found = there.find(mine.size);
  const Digest& root = lineages_[mine.lineage].roots.at(mine.size);
  if (found != there.end() && found->second == root) return true;
  report_.reached(Probe::equivocation);
  peer.stuck = true;
  return false;
}

void World::on_answer(const Event& event) {
  Peer& peer = peers_[event.peer];
  Parcel parcel = mail_.take(event.b);
  if (event.a != peer.question || peer.asked_at < 0) return;
  peer.asked_at = -1;
  if (!consistent(peer, event.c)) {
    if (peer.stuck) {
      report_.log(who(event.peer), "has found the hub out: two logs under one key");
    } else {
      show_note(event.peer);
      set_timer(event.peer, kAgainMs);
    }
    return;
  }
  peer.head = event.c;
  peer.epoch = heads_[event.c].epoch;
  if (const auto* resume = std::get_if<Resume>(&parcel)) {
    if (resume->anew) return sign_anew(event.peer, *resume);
    if (resume->wanted) {
      report_.reached(Probe::resumed);
      return send_pending(event.peer);
    }
    report_.reached(Probe::dropped_record);
    peer.desk->pending.clear();
    peer.writing = false;
    peer.epoch = 0;
    return poll(event.peer);
  }
  if (const auto* decision = std::get_if<Decision>(&parcel)) return act(event.peer, *decision);
  upload_all(event.peer);
  if (peer.role == Role::trainer) return poll(event.peer);
  set_timer(event.peer, plan_.tick_ms / 2);
}

// As node/follower: a hub that has become shorter is shown the newest checkpoint that this peer
// knows.
void World::show_note(std::uint32_t index) {
  const std::string& note = heads_[peers_[index].head].note;
  if (note.empty()) return;
  Event event;
  event.what = What::show;
  event.peer = index;
  send(event, note.size(), Bytes(note.begin(), note.end()));
}

void World::act(std::uint32_t index, const Decision& decision) {
  std::visit([&](const auto& action) { act(index, action, decision); }, decision.action);
}

// COMMIT POINT of a peer: from here a restart sends this record, or drops it if its round is over.
void World::post(std::uint32_t index, Payload payload, std::uint64_t seq,
                 const std::optional<RecordId>& prev) {
  Desk& desk = this->desk(peers_[index]);
  desk.pending_kind = payload.kind;
  desk.pending_round = payload.round.value_or(-1);
  desk.pending = sign(keys_[index], payload, seq, prev);
  peers_[index].writing = true;
  desk.draft = std::move(payload);
  desk.pending_id = parse_envelope(desk.pending)->id();
  if (may_crash(index)) return;
  send_pending(index);
}

void World::send_pending(std::uint32_t index) {
  Peer& peer = peers_[index];
  Desk& desk = *peer.desk;
  desk.in_flight = true;
  Event event;
  event.what = What::submit;
  event.peer = index;
  send(event, desk.pending.size(), desk.pending);
  set_timer(index, kResendMs);
  static_cast<void>(may_crash(index));
}

// As node/publisher: the same draft for the next free place; with nothing new to say, later.
void World::sign_anew(std::uint32_t index, const Resume& place) {
  Desk& desk = *peers_[index].desk;
  Bytes again = sign(keys_[index], desk.draft, place.seq, place.prev);
  desk.refused = false;
  if (again == desk.pending) {
    desk.in_flight = true;
    return set_timer(index, kAgainMs);
  }
  desk.pending = std::move(again);
  desk.pending_id = parse_envelope(desk.pending)->id();
  send_pending(index);
}

void World::on_receipt(const Event& event) {
  Peer& peer = peers_[event.peer];
  const auto verdict = std::get<hub::Verdict>(mail_.take(event.b));
  if (!peer.desk || peer.desk->pending.empty() || !peer.desk->in_flight) return;
  Desk& desk = *peer.desk;
  if (const auto* no = std::get_if<hub::Rejection>(&verdict)) {
    if (no->status == 429 || no->status == 503) {
      report_.reached(no->status == 429 ? Probe::overload : Probe::unavailable);
      return;  // the timer sends it again
    }
    const bool second_log = plan_.faults.has(Fault::backup) || plan_.faults.has(Fault::two_faced);
    report_.check(
        no->status == 409 && second_log, "I4",
        "the hub refuses an honest record: " + std::to_string(no->status) + " " + no->reason);
    report_.reached(Probe::conflict);
    report_.log(who(event.peer), "the hub refuses its " + desk.pending_kind + ": " + no->reason);
    desk.refused = true;
    desk.in_flight = false;
    ++peer.timer;
    return poll(event.peer);
  } else {
    if (std::get<hub::Receipt>(verdict).id != desk.pending_id) return;  // of an earlier record
    // As node/publisher: a receipt counts when the log that this peer follows has the record.
    if (peer.head == kNone || heads_[peer.head].lineage != event.c) return;
    if (desk.pending_kind == "identity") peer.identify_sent = true;
    if (desk.pending_kind == "join") peer.join_sent = true;
  }
  desk.pending.clear();
  peer.writing = false;
  desk.in_flight = false;
  ++peer.timer;
  peer.epoch = 0;
  if (may_crash(event.peer)) return;
  poll(event.peer);
}

void World::on_wake(std::uint32_t index) {
  Peer& peer = peers_[index];
  if (peer.stuck || peer.busy) return;
  if (peer.desk && !peer.desk->pending.empty() && peer.desk->in_flight) {
    report_.reached(Probe::resubmitted);
    return send_pending(index);
  }
  if (peer.desk && peer.desk->revealing) return reveal(index);
  if (peer.desk && (peer.desk->score || peer.desk->close)) return fetch(index);
  if (peer.asked_at < 0) poll(index);
}

void World::on_look(std::uint32_t index) {
  Peer& peer = peers_[index];
  const bool awake = peer.up && peer.asleep_until <= now_ms_;
  if (healed_ && now_ms_ - last_close_ms_ > plan_.liveness_ms && !report_.failed()) {
    report_.violate("I6", "no round has closed for " + std::to_string(now_ms_ - last_close_ms_) +
                              " ms after everything healed; phase " +
                              fold::name(run_of(*hubs_[0])->phase));
  }
  if (awake && peer.asked_at >= 0 && now_ms_ - peer.asked_at >= kLookMs) poll(index);
  if (awake && peer.desk && now_ms_ - peer.desk->taken_ms >= kLookAgainMs) look_again(index);
  Event event;
  event.what = What::look;
  event.peer = index;
  at(kLookMs, event);
}

// As node/volunteer and node/coordinator: what the hub had taken may be lost with a copy of it.
void World::look_again(std::uint32_t index) {
  Peer& peer = peers_[index];
  Desk& desk = *peer.desk;
  if (peer.stuck || peer.busy) return;
  if (peer.uploaded < 0 && desk.states_sent.empty() && desk.uploaded.empty()) return;
  desk.taken_ms = now_ms_;
  peer.uploads = peer.uploads || !desk.uploaded.empty();
  desk.to_upload.merge(desk.uploaded);
  if (peer.role == Role::coordinator) return upload_all(index);
  peer.uploaded = -1;
  for (const RecordId& contribution : desk.states_sent) desk.states_done.erase(contribution);
  desk.states_sent.clear();
  peer.epoch = 0;
  if (peer.asked_at >= 0) poll(index);
}

void World::on_restart(std::uint32_t index) {
  Peer& peer = peers_[index];
  if (peer.up) return;
  peer.up = true;
  poll(index);
}

void World::crash(std::uint32_t index, std::int64_t down_ms) {
  Peer& peer = peers_[index];
  if (!peer.up) return;
  report_.reached(Probe::crash);
  report_.log(who(index), "its process ends");
  peer.up = peer.busy = false;
  ++peer.life;
  peer.asked_at = -1;
  peer.epoch = 0;
  peer.attempted = peer.uploaded = peer.tick_asked_ms = -1;
  peer.identify_sent = peer.join_sent = false;
  if (peer.desk) {
    Desk& desk = *peer.desk;
    if (!desk.pending.empty()) report_.reached(Probe::crash_with_record);
    if (desk.close) report_.reached(Probe::coordinator_died);
    desk.in_flight = desk.refused = desk.revealing = false;
    desk.states_done.clear();
    desk.states_sent.clear();
    desk.given_up.clear();
    desk.disputed.clear();
    desk.score.reset();
    desk.close.reset();
    desk.scored = -1;
    desk.gathered.clear();
  }
  Event event;
  event.what = What::restart;
  event.peer = index;
  at(down_ms, event);
}

// At an effect.
bool World::may_crash(std::uint32_t index) {
  const bool doomed = index == doomed_;
  if (doomed) doomed_ = kNone;
  if (healed_) return false;
  if (!doomed && !chance_.chance(plan_.crashes, 10'000)) return false;
  crash(index, chance_.between(100, 20'000));
  return true;
}

}  // namespace harambee::sim

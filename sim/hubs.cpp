// Hubs: the real sequencer over a disk in memory, and what it says to peers.
#include <algorithm>

#include "log/checkpoint.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::uint64_t kEntriesBytes = 1u << 20;
constexpr std::size_t kAnswerBytes = 300;

}  // namespace

void World::open_hub(Hub& hub) {
  hub.disk.revive();
  hub::SequencerOptions options;
  options.origin = kOrigin;
  options.tick_ms = plan_.tick_ms;
  options.batch_ms = plan_.batch_ms;
  options.free_bytes_min = 0;
  auto opened = hub::Sequencer::open(options, hub_key_, hub.disk, hub.disk, hub.clock);
  if (!opened) return report_.violate("I2", "the hub does not start: " + opened.error().message);
  hub.sequencer = *std::move(opened);
  hub.up = true;
  hub.batch_due = false;
  hub.next_batch_ms = now_ms_;
}

void World::kill_hub(std::uint32_t which, std::int64_t down_ms) {
  Hub& hub = *hubs_[which];
  if (!hub.up) return;
  hub.up = false;
  hub.sequencer.reset();
  hub.waiting.clear();
  hub.awaited.clear();
  hub.batch_due = false;
  report_.log("hub", "its process ends; back in " + std::to_string(down_ms) + " ms");
  Event event;
  event.what = What::hub_up;
  event.peer = which;
  at(down_ms, event);
}

void World::want_batch(std::uint32_t which) {
  Hub& hub = *hubs_[which];
  if (hub.batch_due || !hub.up) return;
  hub.batch_due = true;
  Event event;
  event.what = What::batch;
  event.peer = which;
  const std::int64_t when = std::max(now_ms_, hub.next_batch_ms);
  hub.next_batch_ms = when + plan_.batch_ms;
  at(when - now_ms_, event);
}

void World::batch(std::uint32_t which) {
  Hub& hub = *hubs_[which];
  if (!hub.up || !hub.batch_due) return;
  hub.batch_due = false;
  hub.sequencer->run_batch();
  if (hub.disk.killed()) return kill_hub(which, trouble_.between(200, 15'000));
  for (const Hub::Awaited& one : hub.awaited) {
    const auto verdict = one.ticket->verdict();
    if (verdict && std::holds_alternative<hub::Receipt>(*verdict)) {
      hub.verified.insert(one.envelope);
    }
  }
  advance(hub);
  hub.verified.clear();
  std::vector<Hub::Awaited> still;
  for (Hub::Awaited& one : hub.awaited) {
    const auto verdict = one.ticket->verdict();
    if (!verdict) {
      still.push_back(std::move(one));
      continue;
    }
    if (one.peer == kNone || peers_[one.peer].life != one.life) continue;
    if (const auto* receipt = std::get_if<hub::Receipt>(&*verdict)) {
      report_.check(receipt->size <= heads_[hub.head].size, "I2",
                    "a receipt promises more than is published");
      if (hub.lineage == 0) promised_.emplace_back(receipt->id, receipt->index);
    }
    Event event;
    event.what = What::receipt;
    event.peer = one.peer;
    event.c = hub.lineage;
    send(event, kAnswerBytes, *verdict);
  }
  hub.awaited = std::move(still);
  if (!hub.awaited.empty()) want_batch(which);
  if (hub.sequencer->damage()) kill_hub(which, trouble_.between(2'000, 20'000));
}

// What the log says since the last time, through the real fold; true if there was anything.
bool World::advance(Hub& hub) {
  const auto shown = hub.sequencer->head();
  std::uint64_t from = hub.state.frontier.size();
  if (!report_.check(shown->size >= from, "I2",
                     "the hub shows " + std::to_string(shown->size) + " entries after " +
                         std::to_string(from))) {
    return false;
  }
  if (shown->size == from) return false;
  while (from < shown->size) {
    const auto entries = hub.sequencer->entries(from, kEntriesBytes);
    if (!entries) {
      report_.violate("I2", "published entries cannot be read: " + entries.error().message);
      return false;
    }
    for (const Bytes& entry : *entries) {
      // As hub/log_folder.cpp: what the sequencer verified before it was logged, byte for byte.
      const Digest digest = sha256(entry);
      const auto outcome = hub.verified.contains(digest) ? fold_verified(hub.state, entry)
                                                         : fold::apply_entry(hub.state, entry);
      if (!outcome || outcome->effect == fold::Effect::corrupt) {
        report_.violate("I2", "the hub logged what no honest hub would: " +
                                  (outcome ? outcome->reason : outcome.error().message));
        return false;
      }
      if (hub.lineage == 0) verified_.push_back(digest);
      learn(hub, entry, *outcome);
    }
    from += entries->size();
  }
  const log::VerifierKey key{kOrigin, log::NoteKeyType::ed25519, hub_key_.public_key()};
  const auto opened = log::open_checkpoint(view(shown->checkpoint), key);
  report_.check(opened.ok() && opened->checkpoint.size == hub.state.frontier.size() &&
                    opened->checkpoint.root == hub.state.frontier.root(),
                "I2", "the checkpoint is not of the entries under it");
  publish_head(hub);
  return true;
}

void World::publish_head(Hub& hub) {
  const std::uint64_t size = hub.state.frontier.size();
  lineages_[hub.lineage].roots[size] = hub.state.frontier.root();
  heads_.push_back({size, hub.epoch, hub.lineage, {}});
  if (plan_.faults.has(Fault::backup)) heads_.back().note = hub.sequencer->head()->checkpoint;
  hub.head = static_cast<std::uint32_t>(heads_.size() - 1);
  for (std::uint32_t i = 0; i < hubs_.size(); ++i) {
    if (hubs_[i].get() == &hub) wake_waiting(i);
  }
}

void World::wake_waiting(std::uint32_t which) {
  std::vector<Hub::Waiting> waiting;
  waiting.swap(hubs_[which]->waiting);
  for (const Hub::Waiting& one : waiting) answer(which, one.peer, one.question, one.life);
  waiting.clear();
  if (hubs_[which]->waiting.empty()) hubs_[which]->waiting.swap(waiting);  // keeps its memory
}

// The mind is asked with the state that this answer carries to the peer.
void World::answer(std::uint32_t which, std::uint32_t peer, std::uint32_t question,
                   std::uint16_t life) {
  if (peers_[peer].life != life) return;
  Event event;
  event.what = What::answer;
  event.peer = peer;
  event.a = question;
  event.c = hubs_[which]->head;
  auto decision = decide(peers_[peer], *hubs_[which]);
  send(event, kAnswerBytes, decision ? *std::move(decision) : Parcel());
}

void World::on_poll(const Event& event) {
  const Hub& hub = *hubs_[event.hub];
  const Peer& peer = peers_[event.peer];
  if (peer.life != event.life) return;
  const bool official = peer.role != Role::trainer;
  const bool news = peer.head == kNone || heads_[peer.head].size != heads_[hub.head].size;
  if (official || news || peer.epoch == 0) {
    return answer(event.hub, event.peer, event.a, event.life);
  }
  hubs_[event.hub]->waiting.push_back({event.peer, event.a, event.life});
}

void World::on_submit(const Event& event) {
  Hub& hub = *hubs_[event.hub];
  Parcel parcel = mail_.take(event.b);
  if (peers_[event.peer].censored) {
    report_.reached(Probe::censored);
    return;
  }
  Bytes& bytes = std::get<Bytes>(parcel);
  const Digest envelope = sha256(bytes);
  auto ticket = hub.sequencer->submit(std::move(bytes));
  hub.awaited.push_back({std::move(ticket), event.peer, event.life, envelope});
  want_batch(event.hub);
}

void World::on_ask_tick(const Event& event) {
  Hub& hub = *hubs_[event.hub];
  static_cast<void>(hub.sequencer->tick());
  want_batch(event.hub);
}

// A hub that is an old copy of itself stops when it is shown what it has signed; the true one goes
// on. A hub with two faces does not listen, and what only a fork has is not shown here: a hub that
// honestly hears of it has to stop for good, and no legal recovery would be left.
void World::on_show(const Event& event) {
  Hub& hub = *hubs_[event.hub];
  const Bytes note = std::get<Bytes>(mail_.take(event.b));
  const std::uint32_t head = peers_[event.peer].head;
  const bool forked = head == kNone || heads_[head].lineage != 0;
  if (event.hub != 0 || forked || hub.sequencer->damage()) return;
  const log::VerifierKey key{kOrigin, log::NoteKeyType::ed25519, hub_key_.public_key()};
  const bool more =
      log::open_checkpoint(note, key)->checkpoint.size > hub.disk.platters().database.head.size;
  static_cast<void>(hub.sequencer->shown(note));
  if (hub.disk.killed()) return kill_hub(event.hub, trouble_.between(200, 15'000));
  const bool stopped = hub.sequencer->damage().has_value();
  report_.check(!stopped || hub.lineage != 0, "I2", "the true log is taken for an old copy");
  report_.check(stopped || !more, "I2",
                "an old copy goes on after it was shown what it had signed");
  if (!stopped) return;
  report_.reached(Probe::shown_old);
  report_.log("hub", "is read-only: " + *hub.sequencer->damage());
  kill_hub(event.hub, trouble_.between(2'000, 20'000));
}

void World::on_upload(const Event& event) {
  Hub& hub = *hubs_[event.hub];
  Upload upload = std::get<Upload>(mail_.take(event.b));
  const auto expected = hub.disk.expects(upload.ref.digest, upload.ref.size);
  if (expected && *expected) {
    // The hub reads the upload back and compares its digest before anybody sees it.
    if (sha256(*upload.bytes) == upload.ref.digest && upload.bytes->size() == upload.ref.size) {
      hub.disk.platters().blobs[upload.ref.digest] = upload.bytes;
      upload.taken = true;
    } else {
      report_.reached(Probe::flipped_blob);
    }
  }
  upload.bytes.reset();
  Event back;
  back.what = What::uploaded;
  back.peer = event.peer;
  send(back, kAnswerBytes, std::move(upload));
}

void World::on_fetch(const Event& event) {
  Hub& hub = *hubs_[event.hub];
  Fetch fetch = std::get<Fetch>(mail_.take(event.b));
  std::size_t bytes = 0;
  for (const BlobRef& ref : fetch.wanted) {
    const auto& blobs = hub.disk.platters().blobs;
    const auto found = blobs.find(ref.digest);
    fetch.got.push_back(found == blobs.end() ? nullptr : found->second);
    if (!fetch.got.back()) continue;
    bytes += ref.size;
    if (healed_ || plan_.flipped == 0 || !network_.chance(plan_.flipped, 10'000)) continue;
    Bytes spoilt = *fetch.got.back();
    const std::uint64_t bit = network_.below(8 * spoilt.size());
    spoilt[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    fetch.got.back() = std::make_shared<const Bytes>(std::move(spoilt));
  }
  const fold::RunState* run = run_of(hub);
  const Peer& peer = peers_[event.peer];
  fetch.log_ms = hub.state.now_ms();
  if (run && run->round.number == fetch.round) {
    fetch.still_wanted = fetch.to_score
                             ? run->phase == fold::Phase::score && !run->score_of(peer.id)
                             : run->phase == fold::Phase::closing;
  }
  Event back;
  back.what = What::fetched;
  back.peer = event.peer;
  send(back, bytes, std::move(fetch));
}

}  // namespace harambee::sim

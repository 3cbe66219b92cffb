// How a simulation begins: people with keys, a hub, a run that has started.
#include <algorithm>

#include "base/encoding.h"
#include "fold/acts.h"
#include "format/data.h"
#include "node/round_math.h"
#include "record/build.h"
#include "sim/world.h"

namespace harambee::sim {

namespace {

constexpr std::size_t kLive = 920;  // parameters that mean something: all of the usual model's

}  // namespace

void World::make_peers() {
  first_member_ = plan_.validators + 1;
  coordinator_ = plan_.validators;
  const std::uint32_t all = first_member_ + config_.peers;
  peers_.resize(all);
  keys_.reserve(all);
  Stream draw(config_.seed, "people");
  for (std::uint32_t i = 0; i < all; ++i) {
    keys_.push_back(SecretKey::from_seed(Stream::of(config_.seed, "key", i).bytes));
    Peer& peer = peers_[i];
    peer.id = keys_.back().id();
    peer_of_[peer.id] = i;
    peer.latency_ms =
        static_cast<std::uint32_t>(draw.between(plan_.latency_ms_min, plan_.latency_ms_max));
    peer.train_ms =
        static_cast<std::uint32_t>(draw.between(plan_.train_ms_min, plan_.train_ms_max));
    const bool slow = plan_.faults.has(Fault::slow) && draw.chance(1, 4) && i >= first_member_;
    // A delta is some hundred bytes here: a slow line takes seconds for it, as a real one for MBs.
    peer.bytes_per_ms = slow ? 1 : 1000;
    peer.role = i < coordinator_    ? Role::validator
                : i == coordinator_ ? Role::coordinator
                                    : Role::trainer;
    if (i < plan_.liars) peer.liar = true;
    if (i < first_member_) continue;
    const std::uint32_t member = i - first_member_;
    if (member < plan_.attackers.size()) peer.conduct = plan_.attackers[member];
    peer.inexact = plan_.inexact && member % 3 == 0;
    peer.mixed = plan_.faults.has(Fault::mixed) && draw.chance(1, 5);
  }
}

Bytes World::sign(const SecretKey& key, Payload payload, std::uint64_t seq,
                  const std::optional<RecordId>& prev) const {
  payload.log = kOrigin;
  payload.author = key.id();
  payload.seq = seq;
  payload.prev = prev;
  auto envelope = sign_record(payload, key);
  HARAMBEE_CHECK(envelope.ok());
  return *std::move(envelope);
}

// Before time begins.
void World::say_at_setup(const SecretKey& key, Payload payload) {
  Hub& hub = *hubs_[0];
  const KeyId me = key.id();
  const auto ticket = hub.sequencer->submit(
      sign(key, std::move(payload), hub.state.next_seq(me), hub.state.prev(me)));
  hub.sequencer->run_batch();
  HARAMBEE_CHECK(ticket->verdict() && std::holds_alternative<hub::Receipt>(*ticket->verdict()));
  advance(hub);
}

// Files of which only digests, sizes and domains exist: a third of the shards is nobody's.
void World::make_data() {
  constexpr std::uint64_t kShards = 12, kBytes = 1000;
  const auto shard = [](const char* what, std::uint64_t number, std::string domain) {
    return format::Shard{Stream::of(number, what), kBytes, std::move(domain)};
  };
  const std::size_t count = plan_.domains.size();
  for (std::uint64_t i = 0; i < kShards; ++i) {
    const std::uint64_t third = i * 3 / kShards;
    data_.train.push_back(shard("shard", i, third < count ? plan_.domains[third] : ""));
  }
  for (const std::string& domain : plan_.domains) {
    data_.heldout.push_back(shard("held out", data_.heldout.size(), domain));
  }
  if (!plan_.recipe.needs_held_out_text()) return;
  data_.heldout.push_back(shard("held out", data_.heldout.size(), ""));
}

void World::open_run() {
  auto layout = format::ModelLayout::make(plan_.recipe.model);
  HARAMBEE_CHECK(layout.ok());
  layout_ = *std::move(layout);
  up_ = *node::codec_of(plan_.recipe.codec);
  down_ = *node::codec_of(plan_.recipe.down);
  make_data();
  task_ = std::make_unique<Task>(plan_.recipe.seed, layout_->parameters(),
                                 std::min<std::size_t>(layout_->parameters(), kLive));
  lineages_.emplace_back();
  hubs_.push_back(std::make_unique<Hub>(now_ms_));
  Hub& hub = *hubs_[0];
  open_hub(hub);
  advance(hub);

  const auto put = [&hub](Bytes bytes, std::string_view type) {
    const BlobRef ref{sha256(bytes), bytes.size(), std::string(type)};
    hub.disk.platters().blobs[ref.digest] = std::make_shared<const Bytes>(std::move(bytes));
    return ref;
  };
  fold::OpenRun open;
  open.name = "sim";
  open.coordinator = peers_[coordinator_].id;
  for (std::uint32_t i = 0; i < plan_.validators; ++i) open.validators.push_back(peers_[i].id);
  if (plan_.coordinator_judges) open.validators.push_back(open.coordinator);
  open.recipe = plan_.recipe;
  open.data = put(format::write_data_manifest(data_), format::kDataManifestType);
  open.domains = plan_.domains;
  say_at_setup(maintainer_, fold::write(fold::Identity{maintainer_.public_key()}));
  say_at_setup(maintainer_, fold::write(open));
  HARAMBEE_CHECK(hub.state.run_named("sim") != nullptr);  // else the recipe breaks a rule
  run_id_ = hub.state.run_named("sim")->id;

  recount_.weights = task_->first_weights();
  recount_.residual.assign(recount_.weights.size(), 0.0F);
  fold::Start start;
  start.run = run_id_;
  start.loss_first_nanos = start.loss_last_nanos = 1;
  start.checkpoint = put(format::weights_file(*layout_, recount_.weights), fold::kWeightsType);
  recount_weights_ = start.checkpoint.digest;
  models_[start.checkpoint.digest] = recount_.weights;
  model_order_.push_back(start.checkpoint.digest);
  say_at_setup(maintainer_, fold::write(start));

  Stream draw(config_.seed, "arrivals");
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    Event event;
    event.peer = i;
    event.what = What::restart;
    peers_[i].up = false;
    at(i < first_member_ ? draw.between(0, 500) : draw.between(0, plan_.join_ms), event);
    event.what = What::look;
    at(draw.between(10'000, 40'000), event);
  }
  Event event;
  event.what = What::heal;
  at(plan_.safety_ms, event);
  event.what = What::trouble;
  if (plan_.trouble_ms > 0) at(plan_.trouble_ms, event);
}

}  // namespace harambee::sim

// Members: the real mind decides, the small task is learned, and the attackers do what they do.
#include <algorithm>

#include "exact/outer_step.h"
#include "fold/acts.h"
#include "node/round_math.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::int64_t kWeightsMs = 500;  // until the round's weights are asked for again
constexpr std::int64_t kResendMs = 4'000;

// As the node's: what was sent is taken out of the residual, and so are factors of an attacker.
std::vector<float> moved(std::span<const float> from, std::span<const float> to, float factor) {
  std::vector<float> out(from.begin(), from.end());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += factor * (to[i] - from[i]);
  return out;
}

std::vector<float> anywhere(std::span<const float> from, std::span<const float> to, Rng& rng) {
  std::vector<float> out(from.begin(), from.end());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float step = to[i] - from[i];
    out[i] += (rng.next() & 1) != 0 ? 0.05F + step : -0.05F - step;
  }
  return out;
}

std::string class_of(const Peer& peer) {
  return peer.inexact ? kInexactClass : std::string(fold::kExactClass);
}

}  // namespace

void World::act(std::uint32_t index, const role::trainer::Action& action,
                const Decision& decision) {
  using namespace role::trainer;
  Peer& peer = peers_[index];
  if (std::holds_alternative<Identify>(action)) {
    return post(index, fold::write(fold::Identity{keys_[index].public_key()}), decision.seq,
                decision.prev);
  }
  if (std::holds_alternative<Join>(action)) {
    return post(index, fold::write(fold::Join{run_id_, class_of(peer), "simulated"}), decision.seq,
                decision.prev);
  }
  if (std::holds_alternative<Reveal>(action)) {
    if (peer.conduct == Conduct::withhold || !peer.desk || !peer.desk->delta_bytes ||
        peer.desk->delta.digest != std::get<Reveal>(action).delta.digest) {
      peer.uploaded = std::get<Reveal>(action).round;
      peer.epoch = 0;
      return poll(index);
    }
    peer.desk->revealing = true;
    peer.desk->delta_round = std::get<Reveal>(action).round;
    return reveal(index);
  }
  if (const auto* states = std::get_if<RevealStates>(&action)) {
    return reveal_states(index, *states, decision);
  }
  if (const auto* dispute = std::get_if<Dispute>(&action)) {
    const fold::ClosedContribution* one =
        run_of(hub_of(peer))->closed_contribution(dispute->round, dispute->contribution);
    const bool own = one && one->author == peer.id;
    report_.reached(own                               ? Probe::disputed
                    : peer.conduct == Conduct::honest ? Probe::reported
                                                      : Probe::slandered);
    desk(peer).disputed.insert(dispute->contribution);
    return post(index, fold::write(fold::Dispute{run_id_, dispute->round, dispute->contribution}),
                decision.seq, decision.prev);
  }
  if (const auto* train = std::get_if<Train>(&action)) {
    if (peer.mixed && chance_.chance(1, 3)) {
      return say_nonsense(index, *train, decision);
    }
    if (!weights(train->base)) {
      peer.epoch = 0;
      return set_timer(index, kWeightsMs);
    }
    peer.busy = true;
    Event event;
    event.what = What::trained;
    event.peer = index;
    event.life = peer.life;
    event.b = mail_.put(Trained{*train, decision.seq, decision.prev});
    return at(peer.train_ms + static_cast<std::int64_t>(chance_.below(peer.train_ms)), event);
  }
  // Done or Excluded: this process has nothing more to do.
  report_.log(who(index), std::holds_alternative<Done>(action) ? "is done" : "is excluded");
}

void World::on_trained(const Event& event) {
  const Trained trained = std::get<Trained>(mail_.take(event.b));
  Peer& peer = peers_[event.peer];
  peer.busy = false;
  if (may_crash(event.peer)) return;
  if (!weights(trained.action.base)) {  // slept through some rounds
    peer.epoch = 0;
    return poll(event.peer);
  }
  contribute(event.peer, trained);
}

Bytes World::make_delta(Peer& peer, const role::trainer::Train& action,
                        std::vector<float>& residual) {
  const std::vector<float>& base = *weights(action.base);
  std::vector<float> trained = train(peer, base, action.ordinal, action.seed);
  Digest named = action.base;
  Rng rng(action.seed);
  switch (peer.conduct) {
    case Conduct::sign_flip:
      trained = moved(base, trained, -1.0F);
      break;
    case Conduct::scaled:
      trained = moved(base, trained, -100.0F);
      break;
    case Conduct::noise:
      trained = anywhere(base, trained, rng);
      break;
    case Conduct::collude: {
      Rng shared(action.base);
      trained = anywhere(base, base, shared);
      break;
    }
    case Conduct::stale:
      named = model_order_.front();
      break;
    case Conduct::malformed:
      return to_bytes("this is no delta " + std::to_string(rng.next()));
    case Conduct::sybil:
      trained = task_->train(base, action.base, 0, plan_.recipe.inner);
      break;
    case Conduct::fixture:
      trained = collude(peer, base, action);
      break;
    case Conduct::partisan: {
      if (plan_.domains.empty()) break;
      const Task::Part part = task_->domain((action.ordinal + 1) % plan_.domains.size());
      for (std::uint64_t number = part.from; number < part.from + part.width; ++number) {
        const std::size_t j = task_->place_of(number);
        trained[j] = base[j] - 2 * (trained[j] - base[j]);
      }
      break;
    }
    case Conduct::stranger: {
      fold::InnerRule more = plan_.recipe.inner;
      more.steps *= 3;
      const Digest seed = sha256({action.base.view(), peer.id.view()});
      const std::vector<float> others = task_->train(base, seed, 0, more);
      for (std::size_t j = 0; j < trained.size(); ++j) {
        trained[j] = others[j] - 0.5F * (trained[j] - base[j]);
      }
      break;
    }
    case Conduct::honest:
    case Conduct::copy:
    case Conduct::withhold:
    case Conduct::lazy:
    case Conduct::lazy_hidden:
      break;
  }
  auto blob = node::encode_contribution(up_, {named, peer.id}, base, trained, residual);
  HARAMBEE_CHECK(blob.ok());
  return *std::move(blob);
}

// Everything that the record speaks of is kept under its digest before the record is.
void World::contribute(std::uint32_t index, const Trained& trained) {
  Peer& peer = peers_[index];
  Desk& desk = this->desk(peer);
  const role::trainer::Train& action = trained.action;
  fold::Contribution act;
  std::vector<float> residual;
  if (action.error_feedback) {
    const auto kept = desk.residuals.find(*action.error_feedback);
    if (kept != desk.residuals.end()) {
      act.error_feedback.before = kept->first;
      residual = kept->second;
    } else {
      report_.reached(Probe::fresh_chain);
    }
  }
  if (act.error_feedback.before && action.optimizer && desk.optimizer == action.optimizer) {
    act.optimizer.before = desk.optimizer;
  }
  Bytes bytes = make_delta(peer, action, residual);
  if (residual.empty()) residual.assign(layout_->parameters(), 0.0F);
  act.error_feedback.after = exact::floats_digest(residual);
  act.optimizer.after = sha256({action.seed.view(), act.error_feedback.after.view()});
  if (plan_.audits()) {
    const auto* floats = reinterpret_cast<const std::uint8_t*>(residual.data());
    keep_state(desk, Bytes(floats, floats + 4 * residual.size()));
    Bytes optimizer(action.seed.bytes.begin(), action.seed.bytes.end());
    const View after = act.error_feedback.after.view();
    optimizer.insert(optimizer.end(), after.begin(), after.end());
    keep_state(desk, std::move(optimizer));
  }
  // The state that the log knows, and the one that it may know soon.
  std::erase_if(desk.residuals, [&](const auto& one) {
    return !action.error_feedback || one.first != *action.error_feedback;
  });
  desk.residuals[act.error_feedback.after] = std::move(residual);
  desk.optimizer = act.optimizer.after;
  desk.delta = {sha256(bytes), bytes.size(), std::string(fold::kDeltaType)};
  desk.delta_bytes = std::make_shared<const Bytes>(std::move(bytes));
  const fold::RunState& seen = *run_of(hub_of(peer));
  if (peer.conduct == Conduct::copy && !seen.round.contributions.empty()) {
    desk.delta = seen.round.contributions.front().act.delta;
    desk.delta_bytes.reset();
  }
  act.run = run_id_;
  act.round = action.round;
  act.base = action.base;
  act.numeric_class = class_of(peer);
  act.loss_first_nanos = act.loss_last_nanos = 1;
  act.steps = plan_.recipe.inner.steps;
  act.tokens = act.steps * plan_.recipe.inner.batch * plan_.recipe.model.context;
  act.delta = desk.delta;
  act.domain = domain_of(action.ordinal);
  const bool chooses = peer.conduct == Conduct::partisan && action.round % 4 == 3;
  if (chooses && !plan_.domains.empty()) act.domain = plan_.domains.back();
  peer.attempted = action.round;
  post(index, fold::write(act), trained.seq, trained.prev);
}

// A version that is not written yet, or one that is wrong: a kind that nobody knows, a body with
// something more, contributions that break a rule.
void World::say_nonsense(std::uint32_t index, const role::trainer::Train& action,
                         const Decision& decision) {
  Payload payload;
  const std::uint64_t which = chance_.below(5);
  if (which == 0) {
    payload.run = run_id_;
    payload.kind = "future.kind";
    payload.body = JsonObject{{"what", "nobody knows"}};
    report_.reached(Probe::unknown_kind);
  } else if (which == 1) {
    payload = fold::write(fold::Join{run_id_, "exact-1", "simulated"});
    payload.body.object()->emplace("since", 2);
  } else {
    const Digest junk = Stream::of(chance_.next(), "junk");
    fold::Contribution act;
    act.run = run_id_;
    act.round = action.round;
    act.base = which == 2 ? model_order_.front() : action.base;
    act.numeric_class = class_of(peers_[index]);
    act.error_feedback = {which == 3 ? std::optional(junk) : std::nullopt, junk};
    act.optimizer = {std::nullopt, junk};
    act.loss_first_nanos = act.loss_last_nanos = 1;
    act.steps = plan_.recipe.inner.steps;
    act.tokens = act.steps * plan_.recipe.inner.batch * plan_.recipe.model.context;
    act.delta = {junk, 100, std::string(fold::kDeltaType)};
    payload = fold::write(act);
    if (which == 4 && !peers_[index].busy) twice_ = index;  // and then its real one
  }
  post(index, std::move(payload), decision.seq, decision.prev);
}

void World::reveal(std::uint32_t index) {
  Peer& peer = peers_[index];
  Desk& desk = *peer.desk;
  if (may_crash(index)) return;
  Event event;
  event.what = What::upload;
  event.peer = index;
  Blob bytes = desk.delta_bytes;
  if (!healed_ && plan_.flipped > 0 && network_.chance(plan_.flipped, 10'000)) {
    Bytes spoilt = *bytes;
    spoilt[network_.below(spoilt.size())] ^= 4;
    if (network_.chance(1, 2)) spoilt.pop_back();
    bytes = std::make_shared<const Bytes>(std::move(spoilt));
  }
  send(event, desk.delta.size, Upload{desk.delta, std::move(bytes), false});
  set_timer(index, kResendMs);
}

void World::on_uploaded(const Event& event) {
  Peer& peer = peers_[event.peer];
  const Upload upload = std::get<Upload>(mail_.take(event.b));
  if (!peer.desk) return;
  Desk& desk = *peer.desk;
  if (upload.taken) desk.taken_ms = now_ms_;
  if (peer.role == Role::coordinator || desk.to_upload.contains(upload.ref.digest)) {
    if (!upload.taken) return;
    auto taken = desk.to_upload.extract(upload.ref.digest);
    if (peer.role == Role::coordinator) desk.uploaded.insert(std::move(taken));
    return;
  }
  if (!desk.revealing || upload.ref.digest != desk.delta.digest) return;
  if (!upload.taken) return;  // the timer sends it again
  desk.revealing = false;
  ++peer.timer;
  peer.uploaded = desk.delta_round;
  peer.epoch = 0;
  poll(event.peer);
}

std::uint32_t World::some_member() {
  return first_member_ + static_cast<std::uint32_t>(trouble_.below(config_.peers));
}

}  // namespace harambee::sim

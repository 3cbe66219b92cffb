// Validators and the coordinator: the real minds, the real gate and outer step.
#include <algorithm>

#include "exact/aggregate.h"
#include "exact/outer_step.h"
#include "fold/acts.h"
#include "fold/assignment.h"
#include "fold/void_fold.h"
#include "node/own_rows.h"
#include "node/round_close.h"
#include "node/round_math.h"
#include "node/run_manifest.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::int64_t kFetchMs = 400;
constexpr std::int64_t kWaitMs = 500;
constexpr std::size_t kModelsKept = 4;
constexpr std::size_t kModelsKeptForAudits = 256;

}  // namespace

// ---- weights, as everybody gets them ----

void World::catch_up() {
  const Hub& hub = *hubs_[0];
  const fold::RunState* run = run_of(hub);
  if (!run || hub.lineage != 0) return;
  const auto& blobs = hubs_[0]->disk.platters().blobs;
  for (; caught_up_ < run->history.size(); ++caught_up_) {
    const fold::ClosedRound& closed = run->history[caught_up_];
    if (closed.voided) keep_model(closed.weights, std::vector<float>(models_.at(closed.weights)));
    if (!closed.update) continue;
    const auto blob = blobs.find(closed.update->digest);
    if (blob == blobs.end()) return;  // the coordinator has not uploaded it yet
    const auto update =
        exact::Delta::parse(*blob->second, layout_->parameters(), down_, closed.base);
    if (!report_.check(update.ok(), "I5", "an update blob is malformed")) return;
    std::vector<float> next = models_.at(closed.base);
    exact::apply_update(*update, plan_.recipe.outer_lr, next);
    if (!report_.check(format::weights_digest(*layout_, next) == closed.weights, "I5",
                       "the update of round " + std::to_string(closed.number) +
                           " does not lead to the weights on the log")) {
      return;
    }
    keep_model(closed.weights, std::move(next));
  }
}

void World::keep_model(const Digest& digest, std::vector<float> weights) {
  models_[digest] = std::move(weights);
  std::erase(model_order_, digest);
  model_order_.push_back(digest);
  const bool audited = plan_.audits();  // old rounds are trained again then
  if (model_order_.size() <= (audited ? kModelsKeptForAudits : kModelsKept)) return;
  models_.erase(model_order_.front());
  model_order_.pop_front();
}

const std::vector<float>* World::weights(const Digest& digest) {
  catch_up();
  const auto found = models_.find(digest);
  return found == models_.end() ? nullptr : &found->second;
}

// ---- actions ----

// As node/session: by this peer's wall clock, and by how long it has known the newest tick.
std::int64_t World::log_time(Peer& peer, const fold::LogState& state) const {
  if (state.now_ms() != peer.tick_ms) {
    peer.tick_ms = state.now_ms();
    peer.tick_seen_at = now_ms_;
  }
  return role::log_time(state, kStartMs + now_ms_ + peer.skew_ms, now_ms_ - peer.tick_seen_at);
}

void World::ask_tick(std::uint32_t index) {
  Peer& peer = peers_[index];
  peer.tick_asked_ms = log_time(peer, hub_of(peer).state);
  Event event;
  event.what = What::ask_tick;
  event.peer = index;
  send(event, 200, {});
}

void World::act(std::uint32_t index, const role::validator::Action& action,
                const Decision& decision) {
  using namespace role::validator;
  if (std::holds_alternative<Identify>(action)) {
    return post(index, fold::write(fold::Identity{keys_[index].public_key()}), decision.seq,
                decision.prev);
  }
  if (std::holds_alternative<AskTick>(action)) {
    ask_tick(index);
    return set_timer(index, plan_.tick_ms);
  }
  if (const auto* score = std::get_if<Score>(&action)) return begin(index, *score, decision);
  report_.log(who(index), "is done");
}

void World::begin(std::uint32_t index, const role::validator::Score& action,
                  const Decision& decision) {
  Desk& desk = this->desk(peers_[index]);
  desk.score = action;
  desk.work_seq = decision.seq;
  desk.work_prev = decision.prev;
  desk.gathered.clear();
  fetch(index);
}

void World::act(std::uint32_t index, const role::coordinator::Action& action,
                const Decision& decision) {
  using namespace role::coordinator;
  Peer& peer = peers_[index];
  if (std::holds_alternative<Identify>(action)) {
    return post(index, fold::write(fold::Identity{keys_[index].public_key()}), decision.seq,
                decision.prev);
  }
  if (std::holds_alternative<AskTick>(action)) {
    ask_tick(index);
    return set_timer(index, plan_.tick_ms);
  }
  if (const auto* close = std::get_if<Close>(&action)) {
    Desk& desk = this->desk(peer);
    desk.close = *close;
    desk.work_seq = decision.seq;
    desk.work_prev = decision.prev;
    desk.gathered.clear();
    return fetch(index);
  }
  if (const auto* score = std::get_if<Score>(&action)) return begin(index, *score, decision);
  if (const auto* back = std::get_if<GoBack>(&action)) return go_back(index, *back, decision);
  report_.log(who(index), "is done");
}

// As node/coordinator: no arithmetic, the weights and the residual are those of an earlier round.
void World::go_back(std::uint32_t index, const role::coordinator::GoBack& action,
                    const Decision& decision) {
  Peer& peer = peers_[index];
  const std::vector<float>* base = weights(action.weights);
  if (!base) return set_timer(index, kWaitMs);
  const std::vector<float> zeros(base->size(), 0.0F);
  fold::Void act{run_id_,
                 action.round,
                 action.weights,
                 action.residual.value_or(exact::floats_digest(zeros)),
                 {}};
  if (action.checkpoint_due) {
    Bytes file = format::weights_file(*layout_, *base);
    act.checkpoint = BlobRef{action.weights, file.size(), std::string(fold::kWeightsType)};
    peer.uploads = true;
    desk(peer).to_upload[action.weights] = {*act.checkpoint,
                                            std::make_shared<const Bytes>(std::move(file)), false};
  }
  peer.attempted = action.round;
  post(index, fold::write(act), decision.seq, decision.prev);
}

// Asks for the blobs that are still missing; with none missing, for the log's time.
void World::fetch(std::uint32_t index) {
  Peer& peer = peers_[index];
  Desk& desk = *peer.desk;
  Fetch fetch;
  const auto want = [&](const BlobRef& ref) {
    if (!desk.gathered.contains(ref.digest)) fetch.wanted.push_back(ref);
  };
  fetch.to_score = desk.score.has_value();
  if (desk.score) {
    fetch.round = desk.score->round;
    for (const auto& one : desk.score->contributions) want(one.delta);
  } else {
    fetch.round = desk.close->round;
    for (const auto& one : desk.close->accepted) want(one.delta);
    if (desk.close->previous) want(desk.close->previous->update);
  }
  Event event;
  event.what = What::fetch;
  event.peer = index;
  send(event, 200, std::move(fetch));
  set_timer(index, 10 * kFetchMs);
}

void World::on_fetched(const Event& event) {
  Peer& peer = peers_[event.peer];
  const Fetch fetched = std::get<Fetch>(mail_.take(event.b));
  if (!peer.desk || (!peer.desk->score && !peer.desk->close)) return;
  Desk& desk = *peer.desk;
  const std::int64_t round = desk.score ? desk.score->round : desk.close->round;
  if (fetched.round != round || fetched.to_score != desk.score.has_value()) return;
  if (!fetched.still_wanted) {
    desk.score.reset();
    desk.close.reset();
    return poll(event.peer);
  }
  std::size_t missing = 0;
  for (std::size_t i = 0; i < fetched.wanted.size(); ++i) {
    const BlobRef& ref = fetched.wanted[i];
    if (fetched.got[i] && sha256(*fetched.got[i]) == ref.digest) {
      desk.gathered[ref.digest] = fetched.got[i];
      continue;
    }
    if (fetched.got[i]) report_.reached(Probe::flipped_blob);
    ++missing;
  }
  if (desk.close) return missing == 0 ? close(event.peer) : set_timer(event.peer, kFetchMs);
  const bool last_look = fetched.log_ms >= desk.score->reveal_deadline_ms;
  if (missing == 0 || last_look) return score(event.peer);
  // Log time goes on only by ticks.
  if (log_time(peer, hub_of(peer).state) >= desk.score->reveal_deadline_ms) ask_tick(event.peer);
  set_timer(event.peer, kFetchMs);
}

// The gain of a small step in the direction of each contribution.
void World::measure(std::uint32_t index, const std::vector<float>& base,
                    const role::validator::Score& action, const std::map<Digest, Blob>& gathered,
                    fold::Score& act) {
  const fold::RunState& run = *run_of(hub_of(peers_[index]));
  std::vector<node::Revealed> revealed;
  for (const auto& asked : action.contributions) {
    revealed.push_back({asked.delta, asked.author, std::nullopt});
    revealed.back().foreign_domain =
        node::is_foreign_domain(run, data_, asked.author, asked.domain);
    const auto blob = gathered.find(asked.delta.digest);
    if (blob != gathered.end()) revealed.back().bytes = *blob->second;
  }
  const auto findings =
      node::examine({plan_.recipe, base.size(), action.base, action.seed}, revealed);
  HARAMBEE_CHECK(findings.ok());
  std::vector<exact::SquaredNorm> norms;
  for (const node::Finding& finding : *findings) {
    if (finding.delta) norms.push_back(finding.delta->squared_norm());
  }
  const fold::GateRule& gate = plan_.recipe.gate;
  const bool gated = plan_.recipe.gated();
  const auto without = task_->evaluate(base, action.seed, gate.rows);
  Untried untried{base, {}};
  for (std::size_t k = 0; k < run.guarded().size(); ++k) {
    untried.domains.push_back(evaluate_domain(run, base, action.seed, k));
  }
  for (std::size_t i = 0; i < findings->size(); ++i) {
    const node::Finding& finding = (*findings)[i];
    fold::ScoreEntry entry;
    entry.verdict = finding.verdict;
    entry.group = finding.group;
    if (finding.delta) {
      const exact::SquaredNorm& norm = finding.delta->squared_norm();
      entry.squared_norm = norm.digits();
      entry.norm_exponent = norm.exponent;
      if (gated && finding.verdict == fold::kVerdictOk) {
        std::vector<float> tried = base;
        exact::add_scaled(*finding.delta, node::gate_factor(gate.step, norm, exact::median(norms)),
                          tried);
        entry.gain_nanos =
            node::gain_nanos(without, task_->evaluate(tried, action.seed, gate.rows));
        measure_parts(index, untried, tried, action, i, entry);
      }
    }
    act.entries.push_back(std::move(entry));
  }
}

std::vector<std::int64_t> World::evaluate_domain(const fold::RunState& run,
                                                 std::span<const float> weights, const Digest& seed,
                                                 std::size_t domain) const {
  const Digest rows = sha256({seed.view(), view("a domain"), view(run.guarded()[domain])});
  return task_->evaluate(weights, rows, plan_.recipe.gate.rows, task_->domain(domain));
}

// On each guarded domain, and on the author's own rows. Not every validator has everybody's shards.
void World::measure_parts(std::uint32_t index, const Untried& base, std::span<const float> tried,
                          const role::validator::Score& action, std::size_t which,
                          fold::ScoreEntry& entry) {
  const fold::RunState& run = *run_of(hub_of(peers_[index]));
  const auto within = [](std::int64_t gain) {
    return std::clamp(gain, -fold::kDomainNanosMax, fold::kDomainNanosMax);
  };
  for (std::size_t k = 0; k < run.guarded().size(); ++k) {
    entry.domain_gains.push_back(
        within(node::gain_nanos(base.domains[k], evaluate_domain(run, tried, action.seed, k))));
  }
  const KeyId& author = action.contributions[which].author;
  const fold::Member* member = run.member(author);
  const bool no_shards = (index + static_cast<std::uint64_t>(action.round) + which) % 5 == 4;
  if (plan_.recipe.judge.own_rounds == 0 || !member || no_shards) return;
  const Digest seed = fold::inner_seed(run.id, static_cast<std::uint64_t>(action.round), author);
  const Digest draw = sha256({action.seed.view(), author.view(), peers_[index].id.view()});
  const auto losses = [&](std::span<const float> weights) {
    return task_->evaluate_own(weights, seed, lean_of(member->ordinal), plan_.recipe.inner, draw);
  };
  entry.own_nanos = node::own_nanos(losses(base.weights), losses(tried));
}

// Too low a loss makes the true one look like a rise, too high a one would hide it.
void World::tell_lies(const role::validator::Score& action, fold::Score& act) {
  if (act.loss_nanos) {
    const std::int64_t loss = *act.loss_nanos;
    act.loss_nanos = action.round % 2 == 0 ? loss / 4 : std::min(4 * loss, fold::kNanosMax);
  }
  if (plan_.sly) return;
  const bool gated = plan_.recipe.gated();
  std::optional<std::int64_t> first;  // all are alike, it says
  for (std::size_t i = 0; i < act.entries.size(); ++i) {
    const auto author = peer_of_.find(action.contributions[i].author);
    const bool friendly =
        author != peer_of_.end() && peers_[author->second].conduct != Conduct::honest;
    fold::ScoreEntry& entry = act.entries[i];
    entry.verdict = friendly || chance_.chance(1, 2) ? fold::kVerdictOk : fold::kVerdictWithheld;
    const bool tried = gated && entry.verdict == fold::kVerdictOk;
    entry.gain_nanos = tried ? (friendly ? 1 : -1) * 5'000'000'000 : 0;
    entry.group = static_cast<std::int64_t>(i);
    const std::size_t domains = run_of(*hubs_[0])->guarded().size();
    entry.domain_gains.clear();
    entry.own_nanos.reset();
    if (entry.verdict != fold::kVerdictOk) continue;
    entry.domain_gains.assign(domains, entry.gain_nanos);
    if (plan_.recipe.judge.own_rounds > 0) entry.own_nanos = entry.gain_nanos;
    if (!first) first = entry.group;
    entry.group = *first;
  }
}

// As node/validator.
void World::score(std::uint32_t index) {
  Peer& peer = peers_[index];
  Desk& desk = *peer.desk;
  const std::vector<float>* base = weights(desk.score->base);
  if (!base) {
    upload_all(index);  // a coordinator that scores: perhaps its own update was lost on the way
    return set_timer(index, kWaitMs);
  }
  const role::validator::Score action = *desk.score;
  const fold::GateRule& gate = plan_.recipe.gate;
  fold::Score act;
  act.run = run_id_;
  act.round = action.round;
  act.base = action.base;
  act.seed = action.seed;
  if (plan_.recipe.reports_loss()) {
    act.loss_nanos =
        node::mean_nanos(task_->evaluate(*base, fold::report_seed(run_id_), gate.report));
  }
  measure(index, *base, action, desk.gathered, act);
  if (peer.liar) tell_lies(action, act);
  (peer.role == Role::coordinator ? desk.scored : peer.attempted) = action.round;
  desk.score.reset();
  desk.gathered.clear();
  post(index, fold::write(act), desk.work_seq, desk.work_prev);
}

void World::close(std::uint32_t index) {
  Peer& peer = peers_[index];
  Desk& desk = *peer.desk;
  const std::vector<float>* base = weights(desk.close->base);
  if (!base) return set_timer(index, kWaitMs);
  const role::coordinator::Close action = *desk.close;
  exact::RunNumbers numbers{*base, {}};
  if (action.residual && desk.residuals.contains(*action.residual)) {
    numbers.residual = desk.residuals.at(*action.residual);
  } else {
    numbers.residual.assign(base->size(), 0.0F);
  }
  fold::Close act;
  act.run = run_id_;
  act.round = action.round;
  node::Accepted accepted;
  accepted.possible = action.possible;
  for (const auto& one : action.accepted) {
    act.accepted.push_back(one.contribution);
    auto delta = exact::Delta::parse(*desk.gathered.at(one.delta.digest), base->size(), up_,
                                     {action.base, one.author});
    if (!report_.check(delta.ok(), "I4", "the validators accepted what is malformed")) return;
    accepted.deltas.push_back(*std::move(delta));
    accepted.standing.push_back(one.standing);
    accepted.group.push_back(one.group);
  }
  const auto keep = [&desk](Bytes bytes, std::string_view type) {
    const BlobRef ref{sha256(bytes), bytes.size(), std::string(type)};
    desk.to_upload[ref.digest] = {ref, std::make_shared<const Bytes>(std::move(bytes)), false};
    return ref;
  };
  peer.uploads = true;
  if (desk.to_upload.size() > 4) desk.to_upload.clear();  // what no logged record names
  desk.uploaded.clear();
  if (!accepted.deltas.empty()) {
    std::optional<exact::Delta> last;
    if (action.previous) {
      auto delta = exact::Delta::parse(*desk.gathered.at(action.previous->update.digest),
                                       base->size(), down_, action.previous->base);
      HARAMBEE_CHECK(delta.ok());
      last = *std::move(delta);
    }
    auto update = node::close_round({plan_.recipe, base->size(), action.base, action.seed},
                                    accepted, last ? &*last : nullptr, numbers);
    HARAMBEE_CHECK(update.ok());
    act.update = keep(*std::move(update), fold::kUpdateType);
  }
  act.weights = format::weights_digest(*layout_, numbers.weights);
  act.residual = exact::floats_digest(numbers.residual);
  if (action.checkpoint_due) {
    act.checkpoint = keep(format::weights_file(*layout_, numbers.weights), fold::kWeightsType);
  }
  std::erase_if(desk.residuals,
                [&](const auto& one) { return !action.residual || one.first != *action.residual; });
  desk.residuals[act.residual] = std::move(numbers.residual);
  peer.attempted = action.round;
  desk.close.reset();
  desk.gathered.clear();
  post(index, fold::write(act), desk.work_seq, desk.work_prev);
}

// The hub takes only blobs that a logged record names, so these go after the close.
void World::upload_all(std::uint32_t index) {
  Peer& peer = peers_[index];
  if (!peer.uploads) return;
  peer.uploads = !peer.desk->to_upload.empty();
  for (const auto& [digest, upload] : peer.desk->to_upload) {
    Event event;
    event.what = What::upload;
    event.peer = index;
    send(event, upload.ref.size, upload);
  }
}

}  // namespace harambee::sim

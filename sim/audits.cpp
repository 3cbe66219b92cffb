// Audits: authors reveal the states that audited work started from, validators do it again.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "exact/aggregate.h"
#include "exact/outer_step.h"
#include "fold/assignment.h"
#include "node/round_math.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::size_t kStatesKept = 32;
constexpr std::int64_t kWaitMs = 500;

std::vector<float> floats_of(const Bytes& bytes) {
  std::vector<float> out(bytes.size() / 4);
  std::memcpy(out.data(), bytes.data(), 4 * out.size());
  return out;
}

// What all liars say that they made.
fold::Replica lie() {
  return {sha256(view("a lie")), sha256(view("a lie, too")), sha256(view("a third"))};
}

}  // namespace

// What a member's shards are of.
std::string World::domain_of(std::uint64_t ordinal) const {
  std::vector<format::Shard> shards;
  const auto each = static_cast<std::uint64_t>(plan_.recipe.shards_per_member);
  for (const std::uint64_t i : fold::shards_of(ordinal, each, data_.train.size())) {
    shards.push_back(data_.train[i]);
  }
  return fold::domain_of(shards);
}

// Where the part of the parameters begins that its data speak of.
std::uint64_t World::lean_of(std::uint64_t ordinal) const {
  const auto named = std::ranges::find(plan_.domains, domain_of(ordinal));
  if (named == plan_.domains.end()) return (ordinal * 131) % task_->live();
  return task_->domain(static_cast<std::size_t>(named - plan_.domains.begin())).from;
}

std::vector<float> World::train(const Peer& peer, const std::vector<float>& base,
                                std::uint64_t ordinal, const Digest& seed) const {
  fold::InnerRule inner = plan_.recipe.inner;
  const bool lazy = peer.conduct == Conduct::lazy || peer.conduct == Conduct::lazy_hidden;
  if (lazy) inner.steps = (inner.steps + 1) / 2;
  std::vector<float> trained = task_->train(base, seed, lean_of(ordinal), inner);
  if (!peer.inexact) return trained;
  // As another processor would round: a thousandth of each step, either way.
  Rng rng(sha256({seed.view(), view("rounding")}));
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const float off = 0.001F * (trained[i] - base[i]);
    trained[i] += (rng.next() & 1) != 0 ? off : -off;
  }
  return trained;
}

void World::keep_state(Desk& desk, Bytes bytes) const {
  const Digest digest = sha256(bytes);
  if (!desk.states.emplace(digest, std::make_shared<const Bytes>(std::move(bytes))).second) return;
  desk.states_order.push_back(digest);
  if (desk.states_order.size() <= kStatesKept) return;
  desk.states.erase(desk.states_order.front());
  desk.states_order.pop_front();
}

// As node/volunteer: the record names them, then they are uploaded.
void World::reveal_states(std::uint32_t index, const role::trainer::RevealStates& action,
                          const Decision& decision) {
  Peer& peer = peers_[index];
  Desk& desk = this->desk(peer);
  fold::Reveal act{run_id_, action.round, action.contribution, {}};
  bool lost = peer.conduct == Conduct::lazy_hidden;
  const auto take = [&](const std::optional<Digest>& digest, std::string_view type) {
    if (!digest) return;
    const auto kept = desk.states.find(*digest);
    if (kept == desk.states.end()) {
      lost = true;
      return;
    }
    const BlobRef ref{*digest, kept->second->size(), std::string(type)};
    act.states.push_back(ref);
    if (!action.named) return;
    desk.to_upload[*digest] = {ref, kept->second, false};
    peers_[index].uploads = true;
  };
  take(action.error_feedback, fold::kErrorFeedbackType);
  take(action.optimizer, fold::kOptimizerType);
  take(action.error_feedback_after, fold::kErrorFeedbackType);
  if (!lost && !action.named) {
    report_.reached(Probe::states_revealed);
    return post(index, fold::write(act), decision.seq, decision.prev);
  }
  if (lost) report_.reached(Probe::states_lost);
  desk.states_done.insert(action.contribution);
  if (!lost) desk.states_sent.insert(action.contribution);
  upload_all(index);
  peer.epoch = 0;
  poll(index);
}

// As node/repeat, over the simulated task. None: a state cannot be had.
std::optional<fold::Replica> World::train_again(const fold::RunState& run,
                                                const role::auditor::Repeat& action,
                                                const fold::ClosedContribution& last) {
  std::vector<std::pair<const fold::ClosedRound*, const fold::ClosedContribution*>> chain;
  const bool whole = action.states.empty();
  for (std::int64_t number = action.round; number >= 0; --number) {
    const fold::ClosedRound& round = run.history[static_cast<std::size_t>(number)];
    const auto mine =
        std::ranges::find(round.contributions, last.author, &fold::ClosedContribution::author);
    if (mine == round.contributions.end()) continue;
    chain.emplace_back(&round, &*mine);
    if (!whole || mine->links == 1) break;
  }
  std::ranges::reverse(chain);
  std::vector<float> residual;
  for (const BlobRef& ref : action.states) {
    const auto& blobs = hubs_[0]->disk.platters().blobs;
    const auto blob = blobs.find(ref.digest);
    if (blob == blobs.end()) return std::nullopt;
    if (ref.type != fold::kErrorFeedbackType) continue;
    residual.resize(blob->second->size() / 4);
    std::memcpy(residual.data(), blob->second->data(), 4 * residual.size());
  }
  const Peer honest;
  fold::Replica made;
  for (const auto& [round, one] : chain) {
    const std::vector<float>* base = weights(round->base);
    if (!base) return std::nullopt;
    if (!one->error_feedback.before) residual.clear();
    const Digest seed =
        fold::inner_seed(run.id, static_cast<std::uint64_t>(round->number), last.author);
    const std::vector<float> trained = train(honest, *base, run.member(last.author)->ordinal, seed);
    const auto blob =
        node::encode_contribution(up_, {round->base, last.author}, *base, trained, residual);
    HARAMBEE_CHECK(blob.ok());
    made.delta = sha256(*blob);
    made.error_feedback = exact::floats_digest(residual);
    made.optimizer = sha256({seed.view(), made.error_feedback->view()});
  }
  return made;
}

// Of an inexact class: the pseudo-gradient that the states and the delta say was made, and ours.
// `withheld`: a state cannot be had.
fold::Audit World::compare(const fold::RunState& run, const role::auditor::Repeat& action,
                           const fold::ClosedContribution& one, fold::Audit act) {
  act.result = fold::AuditResult::withheld;
  const auto& blobs = hubs_[0]->disk.platters().blobs;
  const fold::ClosedRound& round = run.history[static_cast<std::size_t>(action.round)];
  const std::vector<float>* base = weights(round.base);
  const auto sent = blobs.find(one.delta.digest);
  const auto after = blobs.find(one.error_feedback.after);
  if (!base || sent == blobs.end() || after == blobs.end()) return act;
  std::vector<float> claimed = floats_of(*after->second);
  const auto delta =
      exact::Delta::parse(*sent->second, claimed.size(), up_, {round.base, one.author});
  HARAMBEE_CHECK(delta.ok());
  exact::add_scaled(*delta, 1.0F, claimed);
  if (one.error_feedback.before) {
    const auto before = blobs.find(*one.error_feedback.before);
    if (before == blobs.end()) return act;
    const std::vector<float> kept = floats_of(*before->second);
    const float beta =
        static_cast<float>(static_cast<double>(plan_.recipe.codec.feedback.nanos) / 1e9);
    for (std::size_t i = 0; i < claimed.size(); ++i) claimed[i] -= beta * kept[i];
  }
  const Digest seed =
      fold::inner_seed(run.id, static_cast<std::uint64_t>(action.round), one.author);
  const std::vector<float> mine = train(Peer(), *base, run.member(one.author)->ordinal, seed);
  double claim = 0, own = 0, both = 0, apart = 0;
  for (std::size_t i = 0; i < claimed.size(); ++i) {
    const double a = claimed[i], b = static_cast<double>((*base)[i]) - mine[i];
    claim += a * a;
    own += b * b;
    both += a * b;
    apart += (a - b) * (a - b);
  }
  const auto nanos = [](double value, double most) {
    return Decimal{static_cast<std::int64_t>(std::clamp(value, -most, most) * 1e9)};
  };
  act.cosine = nanos(both / std::sqrt(std::max(claim * own, 1e-30)), 1);
  act.distance = nanos(std::sqrt(apart / std::max(own, 1e-30)), 1000);
  const bool near = act.cosine->nanos >= 990'000'000 && act.distance->nanos <= 100'000'000;
  act.result = near ? fold::AuditResult::near : fold::AuditResult::far;
  return act;
}

void World::act(std::uint32_t index, const role::auditor::Repeat& action,
                const Decision& decision) {
  Peer& peer = peers_[index];
  const fold::RunState& run = *run_of(*hubs_[0]);
  const fold::ClosedContribution* one = run.closed_contribution(action.round, action.contribution);
  if (!one || hub_of(peer).lineage != 0) return set_timer(index, kWaitMs);  // of another log
  fold::Audit act;
  act.run = run_id_;
  act.round = action.round;
  act.contribution = action.contribution;
  const fold::Replica committed{one->delta.digest, one->error_feedback.after, one->optimizer.after};
  const bool friendly = peers_[peer_of_.at(one->author)].conduct != Conduct::honest;
  if (one->numeric_class != fold::kExactClass) {
    act = compare(run, action, *one, act);
    if (peer.liar) {
      act.result = friendly ? fold::AuditResult::near : fold::AuditResult::far;
      act.cosine = friendly ? Decimal{1'000'000'000} : Decimal{};
      act.distance = friendly ? Decimal{} : Decimal{1'000'000'000};
    }
  } else {
    act.made = train_again(run, action, *one);
    if (peer.liar) act.made = friendly ? committed : lie();
    const bool same = act.made == committed;
    act.result = !act.made ? fold::AuditResult::withheld
                 : same    ? fold::AuditResult::exact
                           : fold::AuditResult::differs;
  }
  const bool lacking = act.result == fold::AuditResult::withheld;
  if (lacking && decision.log_ms < action.states_deadline_ms) return set_timer(index, kWaitMs);
  if (act.result == fold::AuditResult::near) report_.reached(Probe::near_enough);
  if (act.result == fold::AuditResult::far) report_.reached(Probe::too_far);
  desk(peer).given_up.insert(action.contribution);
  post(index, fold::write(act), decision.seq, decision.prev);
}

}  // namespace harambee::sim

// Attackers who know what everybody else will send and choose together (sim/attacks). The simulated
// task is small enough for them to train as some honest members will, before they choose.
#include <array>

#include "fold/assignment.h"
#include "node/round_math.h"
#include "sim/attacks/adaptive.h"
#include "sim/attacks/classical.h"
#include "sim/attacks/free_riders.h"
#include "sim/attacks/vectors.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::size_t kHonestSeen = 8;
constexpr std::int64_t kRowsTried = 16;

struct Named {
  std::string_view name;
  attacks::Vectors (*send)(const attacks::Scene&);
};
// Those that need no functions of the mathematical library: its last bits differ from machine to
// machine, and a seed must not.
constexpr std::array kAttacks{
    Named{"flip", attacks::flip},           Named{"ipm-0.5", attacks::ipm_half},
    Named{"ipm-1.1", attacks::ipm_over},    Named{"ipm-2", attacks::ipm_two},
    Named{"min-max", attacks::min_max},     Named{"min-sum", attacks::min_sum},
    Named{"mimic", attacks::mimic},         Named{"capture", attacks::capture},
    Named{"gate-mix", attacks::gate_mix},   Named{"line-search", attacks::line_search},
    Named{"overshoot", attacks::overshoot}, Named{"zeros", attacks::zeros},
    Named{"stale", attacks::stale},         Named{"tiny", attacks::tiny}};

std::vector<float> difference(std::span<const float> a, std::span<const float> b) {
  std::vector<float> out(a.begin(), a.end());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] -= b[i];
  return out;
}

}  // namespace

double World::mean_loss(std::span<const float> weights, const Digest& seed) const {
  return 1e-9 * static_cast<double>(node::mean_nanos(task_->evaluate(weights, seed, kRowsTried)));
}

// What this attacker trains "to": the base less the vector that the attack gives it. All attackers
// of the kind choose when the first of them is asked in a round.
std::vector<float> World::collude(const Peer& peer, const std::vector<float>& base,
                                  const role::trainer::Train& action) {
  const fold::RunState& run = *run_of(hub_of(peer));
  std::vector<const Peer*> colluders, honest;
  for (std::uint32_t i = first_member_; i < peers_.size(); ++i) {
    if (!run.member(peers_[i].id)) continue;
    if (peers_[i].conduct == Conduct::fixture) colluders.push_back(&peers_[i]);
    const bool seen = peers_[i].conduct == Conduct::honest && honest.size() < kHonestSeen;
    if (seen) honest.push_back(&peers_[i]);
  }
  const auto work = [&](const Peer& one) {
    const Digest seed = fold::inner_seed(run.id, static_cast<std::uint64_t>(action.round), one.id);
    return difference(base, train(one, base, run.member(one.id)->ordinal, seed));
  };
  if (collusion_.base != action.base || collusion_.who.size() != colluders.size()) {
    attacks::Vectors seen, own;
    for (const Peer* one : honest) seen.push_back(work(*one));
    for (const Peer* one : colluders) own.push_back(work(*one));
    if (seen.empty()) seen = own;
    const attacks::Vector mean = attacks::mean(seen);
    Rng rng(action.base);
    attacks::Scene scene;
    scene.honest = seen;
    scene.own = own;
    scene.last = collusion_.sent;
    if (collusion_.sent.size() != own.size()) scene.last = {};
    scene.mean = mean;
    scene.round = static_cast<std::uint64_t>(action.round);
    scene.seed = plan_.recipe.seed;
    scene.rng = &rng;
    scene.keep = static_cast<std::uint32_t>(plan_.recipe.codec.keep);
    const double before = mean_loss(base, action.base);
    scene.gain = [&](const attacks::Vector& sent) {
      const double step = static_cast<double>(plan_.recipe.gate.step.nanos) / 1e9;
      return before - mean_loss(attacks::plus(base, -step, sent), action.base);
    };
    scene.loss_after = [&](const attacks::Vectors& sent) {
      attacks::Vectors all = seen;
      all.insert(all.end(), sent.begin(), sent.end());
      const double rate = static_cast<double>(plan_.recipe.outer_lr.nanos) / 1e9;
      return mean_loss(attacks::plus(base, -rate, attacks::mean(all)), action.base);
    };
    collusion_.sent = kAttacks[plan_.attack % kAttacks.size()].send(scene);
    collusion_.base = action.base;
    collusion_.who.clear();
    for (const Peer* one : colluders) collusion_.who.push_back(one->id);
    report_.reached(Probe::colluded);
    report_.log("them", "they choose together: " +
                            std::string(kAttacks[plan_.attack % kAttacks.size()].name));
  }
  for (std::size_t i = 0; i < collusion_.who.size() && i < collusion_.sent.size(); ++i) {
    if (collusion_.who[i] == peer.id) return difference(base, collusion_.sent[i]);
  }
  return train(peer, base, action.ordinal, action.seed);
}

}  // namespace harambee::sim

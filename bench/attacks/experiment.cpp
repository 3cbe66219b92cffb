#include "bench/attacks/experiment.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "exact/outer_step.h"
#include "sim/attacks/vectors.h"

namespace harambee::attack_bench {
namespace {

using attacks::Vectors;
using exact::Codec;
using exact::Delta;

constexpr std::uint32_t kSkewPercent = 95;
// Of twenty peers ten have sources, five headers, three prose and two Python; with shares on, the
// gate's text is mixed alike.
constexpr double kShares[] = {0.15, 0.5, 0.25, 0.1};
constexpr std::size_t kDomainOf[20] = {1, 2, 1, 0, 1, 2, 1, 3, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 3};

constexpr std::size_t kNoDomain = 99;

Decimal decimal(double value) { return {std::llround(value * 1e9)}; }

struct Peer {
  trainer::AdamW optimizer;
  Vector residual;
  Diet diet;
};

// A message: its bytes and what reads them.
struct Message {
  Bytes blob;
  bool honest = true;
  std::size_t domain = kNoDomain;  // declared
  std::size_t peer = 0;
};

// What the verdicts leave of a round.
struct Taken {
  std::vector<Delta> deltas;
  std::vector<bool> honest;
  std::vector<std::uint32_t> groups;  // index of the group's first
  std::uint64_t possible = 0;         // votes that could have been: of all groups

  // From positions among all whose norm passed to positions here.
  void renumber() {
    std::map<std::uint32_t, std::uint32_t> first;
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
      groups[i] = first.try_emplace(groups[i], i).first->second;
    }
  }
};

class Run {
 public:
  Run(const Cell& cell, const Plan& plan, const Vector& start, Learner& learner)
      : cell_(cell),
        plan_(plan),
        learner_(learner),
        up_{Codec::Kind::sign, plan.keep, decimal(0.95)},
        down_{Codec::Kind::sign, plan.down_keep, decimal(1)},
        report_(learner.held_out_rows(plan.report_rows, plan.digest("report"))),
        theta_(start),
        residual_(start.size()) {
    colluders_ = cell.attack == nullptr ? 0 : plan.peers * cell.percent / 100;
    // Who colludes is drawn, so that no domain is theirs.
    std::vector<std::size_t> order(plan.peers);
    std::iota(order.begin(), order.end(), std::size_t{0});
    Rng rng(plan.digest("who"));
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    for (const std::size_t i : order) {
      const Diet diet{kDomainOf[i % 20], cell.skewed ? kSkewPercent : 0};
      peers_.push_back({learner.optimizer(), Vector(start.size()), diet});
    }
  }

  Outcome run() {
    outcome_.first_loss = outcome_.worst_loss = learner_.loss(theta_, report_);
    for (round_ = 0; round_ < plan_.rounds; ++round_) {
      play_round();
      const bool look = round_ + 1 == plan_.rounds || round_ % 4 == 3;
      if (!look) continue;
      const double loss = learner_.loss(theta_, report_);
      // A model that says nothing finite any more counts as guessing worse than chance.
      outcome_.last_loss = std::isfinite(loss) ? std::min(loss, 99.0) : 99.0;
      outcome_.worst_loss = std::max(outcome_.worst_loss, outcome_.last_loss);
    }
    if (pairs_ > 0) outcome_.honest_exclusive /= static_cast<double>(pairs_);
    return outcome_;
  }

 private:
  // Honest training of peer p, on poisoned text if the attack says so.
  Vector work_of(std::size_t p, attacks::Poison poison) {
    Peer& peer = peers_[p];
    const Vector trained =
        learner_.train(theta_, peer.optimizer, peer.diet, plan_.steps, plan_.batch, poison,
                       plan_.digest("rows", round_, p), plan_.learning_rate);
    exact::accumulate(peer.residual, up_.feedback, theta_, trained);
    return peer.residual;
  }

  // Prose and Python: five of twenty peers.
  static bool minority(std::size_t domain) { return domain == 0 || domain == 3; }

  // What peer p's contribution is for: its shards decide, validators see to it.
  std::size_t declared(std::size_t p) const {
    return cell_.skewed ? peers_[p].diet.domain : kNoDomain;
  }

  Bytes encoded(std::span<float> values) const {
    Result<Bytes> blob = exact::encode(up_, kBase, values);
    return blob ? *std::move(blob) : Bytes{};  // not finite: nothing that anybody would take
  }

  Delta parsed(const Bytes& blob) const {
    return Delta::parse(blob, theta_.size(), up_, kBase).value();
  }

  void play_round() {
    gate_ = learner_.held_out_rows(plan_.gate_rows, plan_.digest("gate", round_));
    gains_.clear();
    before_.clear();
    std::vector<Message> messages;
    for (std::size_t p = colluders_; p < peers_.size(); ++p) {
      (void)work_of(p, nullptr);
      messages.push_back({encoded(peers_[p].residual), true, declared(p), p});
    }
    std::vector<Delta> honest;
    for (const Message& message : messages) honest.push_back(parsed(message.blob));
    note_honest(honest);
    their_rows_ = learner_.held_out_rows(plan_.gate_rows, plan_.digest("theirs", round_));
    std::size_t colluder = 0;
    for (Bytes& blob : collude(honest)) {
      messages.push_back({std::move(blob), false, declared(colluder), colluder});
      ++colluder;
    }
    // In an order of the log that nobody chose.
    Rng rng(plan_.digest("order", round_));
    for (std::size_t i = messages.size(); i > 1; --i) {
      std::swap(messages[i - 1], messages[rng.below(i)]);
    }
    if (plan_.own > 0) note_own(messages);
    step(messages, theta_, residual_, update_, &outcome_);
  }

  // The own-versus-random test (spec/run.md §9) of each message, by plan_.own validators.
  void note_own(const std::vector<Message>& messages) {
    std::vector<exact::SquaredNorm> norms;
    for (const Message& message : messages) {
      if (!message.blob.empty()) norms.push_back(parsed(message.blob).squared_norm());
    }
    for (const Message& message : messages) {
      if (message.blob.empty()) continue;
      const Vector weights = tried(parsed(message.blob), exact::median(norms));
      std::vector<double> values;
      for (std::uint32_t v = 0; v < plan_.own; ++v) {
        values.push_back(own_difference(message.peer, v, weights));
      }
      std::ranges::sort(values);
      const double middle = values[(values.size() - 1) / 2] + values[values.size() / 2];
      ++(message.honest ? outcome_.honest_own : outcome_.colluding_own);
      if (middle > 0) ++(message.honest ? outcome_.honest_better : outcome_.colluding_better);
    }
  }

  // The gain of tried weights on rows that a peer was to train on beyond that on others like them.
  double own_difference(std::size_t peer, std::uint32_t validator, const Vector& weights) {
    constexpr std::uint32_t kRows = 8;
    const std::uint32_t used = plan_.steps * plan_.batch;
    const std::uint64_t who = peer * 1000 + validator;
    const Diet& diet = peers_[peer].diet;
    const auto all = learner_.train_rows(diet, used, plan_.digest("rows", round_, peer));
    const auto others = learner_.train_rows(diet, kRows, plan_.digest("others", round_, who));
    const auto length = static_cast<std::ptrdiff_t>(all.size() / used);
    Rng rng(plan_.digest("own", round_, who));
    std::vector<Token> own;
    for (std::uint32_t i = 0; i < kRows; ++i) {
      const auto row = all.begin() + static_cast<std::ptrdiff_t>(rng.below(used)) * length;
      own.insert(own.end(), row, row + length);
    }
    const auto gain = [&](const std::vector<Token>& rows) {
      return learner_.mean_loss(theta_, rows) - learner_.mean_loss(weights, rows);
    };
    return gain(own) - gain(others);
  }

  std::vector<Bytes> collude(std::span<const Delta> honest) {
    std::vector<Bytes> out;
    if (colluders_ == 0) return out;
    const attacks::Attack& attack = *cell_.attack;
    Vectors own(colluders_);
    if (attack.trains || attack.send == nullptr) {
      for (std::size_t p = 0; p < colluders_; ++p) own[p] = work_of(p, attack.poison);
    }
    if (attack.send == nullptr) {
      for (std::size_t p = 0; p < colluders_; ++p) out.push_back(encoded(peers_[p].residual));
      return out;
    }
    Vectors vectors;
    for (const Delta& delta : honest) vectors.push_back(decode(delta));
    const Vector mean = attacks::mean(vectors);
    Rng rng(plan_.digest("attack", round_));
    attacks::Scene scene;
    scene.honest = vectors, scene.own = own, scene.last = last_, scene.mean = mean;
    scene.round = round_, scene.seed = plan_.digest("run"), scene.rng = &rng;
    scene.keep = plan_.keep;
    scene.gain = [&](const Vector& values) { return their_gain(values, honest); };
    scene.loss_after = [&](const Vectors& sent) { return their_loss(sent, honest); };
    Vectors sent = attack.send(scene);
    HARAMBEE_CHECK(sent.size() == colluders_);
    for (const Vector& one : sent) {
      Vector values = one;
      out.push_back(encoded(values));
    }
    if (last_.empty()) last_ = std::move(sent);
    return out;
  }

  // What the gate would measure on rows that the colluders draw themselves.
  std::vector<double> their_gains(const Bytes& blob, std::span<const Delta> honest) {
    std::vector<exact::SquaredNorm> norms;
    for (const Delta& delta : honest) norms.push_back(delta.squared_norm());
    std::vector<double> gains =
        learner_.losses(tried(parsed(blob), exact::median(norms)), their_rows_);
    const std::vector<double> before = learner_.losses(theta_, their_rows_);
    for (std::size_t d = 0; d < gains.size(); ++d) gains[d] = before[d] - gains[d];
    return gains;
  }

  // The gain that would decide for a colluder whose shards are of the domain that it helps most.
  double their_gain(Vector values, std::span<const Delta> honest) {
    const Bytes blob = encoded(values);
    if (blob.empty()) return -1;
    const std::vector<double> gains = their_gains(blob, honest);
    const double all = everything(gains);
    const double worst = *std::ranges::min_element(gains);
    const Defence& defence = *cell_.defence;
    if (defence.guard > 0 && worst < -defence.guard) return worst;
    if (!defence.serves || all > 0 || !cell_.skewed) return all;
    return *std::ranges::max_element(gains) + all;
  }

  // Works on copies of everything.
  double their_loss(const Vectors& sent, std::span<const Delta> honest) {
    std::vector<Message> messages;
    for (const Delta& delta : honest) {
      messages.push_back({Bytes(delta.blob().begin(), delta.blob().end()), true,
                          declared(colluders_ + messages.size()), 0});
    }
    std::size_t colluder = 0;
    for (Vector one : sent) {
      messages.push_back({encoded(one), false, declared(colluder), colluder});
      ++colluder;
    }
    Vector theta = theta_, residual = residual_;
    Bytes update = update_;
    step(messages, theta, residual, update, nullptr);
    return learner_.loss(theta, their_rows_);
  }

  // The weights on which the gate measures a contribution.
  Vector tried(const Delta& delta, const exact::SquaredNorm& median) const {
    Vector weights = theta_;
    const double clip = exact::clip(delta.squared_norm(), median);
    exact::add_scaled(delta, static_cast<float>(-(plan_.gate_step * clip)), weights);
    return weights;
  }

  bool passes(const Delta& delta, std::size_t domain, const exact::SquaredNorm& median,
              const std::vector<double>& before) {
    // Measured once a round, also for colluders who try what the gate will say.
    const double clip = exact::clip(delta.squared_norm(), median);
    const auto key = std::pair(sha256(delta.blob()), clip);
    auto known = gains_.find(key);
    if (known == gains_.end()) known = gains_.emplace(key, measure(delta, median, before)).first;
    return accepts(known->second, domain);
  }

  // The gains on each domain.
  std::vector<double> measure(const Delta& delta, const exact::SquaredNorm& median,
                              const std::vector<double>& before) {
    std::vector<double> gains = learner_.losses(tried(delta, median), gate_);
    for (std::size_t d = 0; d < gains.size(); ++d) gains[d] = before[d] - gains[d];
    return gains;
  }

  // The gain on all held-out text.
  double everything(const std::vector<double>& gains) const {
    double all = 0;
    for (std::size_t d = 0; d < gains.size(); ++d) {
      all += gains[d] * (plan_.shares ? kShares[d] : 1.0 / static_cast<double>(gains.size()));
    }
    return all;
  }

  // spec/run.md §6, the verdict.
  bool accepts(const std::vector<double>& gains, std::size_t domain) const {
    const Defence& defence = *cell_.defence;
    const double all = everything(gains);
    if (defence.guard == 0) return all > 0;
    if (*std::ranges::min_element(gains) < -defence.guard) return false;
    if (all > 0) return true;
    return defence.serves && domain < gains.size() && all >= -defence.guard &&
           gains[domain] + all > 0;
  }

  // From what was sent to new weights, as validators and the coordinator do it.
  void step(const std::vector<Message>& messages, Vector& theta, Vector& residual, Bytes& update,
            Outcome* outcome) {
    const Defence& defence = *cell_.defence;
    std::vector<Delta> deltas;
    std::vector<bool> honest;
    std::vector<std::size_t> domain;
    for (const Message& message : messages) {
      if (outcome) ++(message.honest ? outcome->honest_sent : outcome->colluding_sent);
      if (message.blob.empty()) continue;
      deltas.push_back(parsed(message.blob));
      honest.push_back(message.honest);
      domain.push_back(message.domain);
    }
    keep_normal(defence.rule, deltas, honest, domain);
    if (deltas.empty()) return;
    std::vector<exact::SquaredNorm> norms;
    for (const Delta& delta : deltas) norms.push_back(delta.squared_norm());
    const exact::SquaredNorm median = exact::median(norms);
    const std::vector<std::uint32_t> group =
        exact::find_groups(defence.rule, deltas, plan_.digest("chunks", round_)).value();
    if (defence.gate && before_.empty()) before_ = learner_.losses(theta_, gate_);
    Taken taken;
    for (std::size_t i = 0; i < deltas.size(); ++i) {
      if (group[i] == i) taken.possible += exact::kFullVote;
      if (outcome && honest[i] && minority(domain[i])) ++outcome->minority_sent;
      if (defence.gate && !passes(deltas[i], domain[i], median, before_)) continue;
      if (outcome && honest[i] && minority(domain[i])) ++outcome->minority_taken;
      taken.deltas.push_back(deltas[i]);
      taken.honest.push_back(honest[i]);
      taken.groups.push_back(group[i]);
    }
    taken.renumber();
    if (outcome) note_accepted(taken, *outcome);
    if (taken.deltas.empty()) return;
    finish(taken, theta, residual, update);
  }

  // Without those whose norm is far from the others'.
  static void keep_normal(const exact::RobustRule& rule, std::vector<Delta>& deltas,
                          std::vector<bool>& honest, std::vector<std::size_t>& domain) {
    std::vector<exact::SquaredNorm> norms;
    for (const Delta& delta : deltas) norms.push_back(delta.squared_norm());
    const std::vector<std::string> verdict = exact::norm_verdicts(norms, rule.norm_max);
    std::vector<Delta> kept;
    for (std::size_t i = 0; i < deltas.size(); ++i) {
      if (!verdict[i].empty()) continue;
      honest[kept.size()] = honest[i];
      domain[kept.size()] = domain[i];
      kept.push_back(deltas[i]);
    }
    honest.resize(kept.size());
    domain.resize(kept.size());
    deltas = std::move(kept);
  }

  void finish(const Taken& taken, Vector& theta, Vector& residual, Bytes& update) {
    const Defence& defence = *cell_.defence;
    std::vector<Delta> before;
    if (!update.empty()) {
      before.push_back(Delta::parse(update, theta.size(), down_, kBase).value());
    }
    const Delta* previous = before.empty() ? nullptr : &before[0];
    const exact::RobustRound round{.deltas = taken.deltas,
                                   .group = taken.groups,
                                   .previous = previous,
                                   .seed = plan_.digest("chunks", round_),
                                   .possible = defence.thin ? taken.possible : 0};
    const Decimal rate = decimal(plan_.outer_rate);
    exact::RunNumbers numbers{std::move(theta), std::move(residual)};
    Bytes made;
    if (defence.combine != nullptr) {
      Vector u(numbers.weights.size());
      HARAMBEE_CHECK(defence.combine(round, u).ok());
      for (std::size_t i = 0; i < u.size(); ++i) numbers.residual[i] += u[i];
      made = exact::encode(down_, kBase, numbers.residual).value();
      const Delta delta = Delta::parse(made, u.size(), down_, kBase).value();
      exact::apply_update(delta, rate, numbers.weights);
    } else {
      const exact::Weights weights = exact::robust_weights(defence.rule, round).value();
      made =
          exact::close_round(down_, rate, kBase, taken.deltas, weights, previous, numbers).value();
    }
    theta = std::move(numbers.weights), residual = std::move(numbers.residual);
    update = std::move(made);
  }

  void note_honest(std::span<const Delta> honest) {
    const Digest seed = plan_.digest("chunks", round_);
    const Decimal all = decimal(1);
    const exact::Gram gram = exact::Gram::make(honest, nullptr, all, seed).value();
    for (std::size_t i = 0; i < honest.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const double cosine =
            gram.value(i, j) / std::sqrt(gram.value(i, i) * gram.value(j, j) + 1e-300);
        outcome_.honest_cosine = std::max(outcome_.honest_cosine, cosine);
      }
    }
    std::vector<std::uint32_t> alone(honest.size());
    std::iota(alone.begin(), alone.end(), 0u);
    const std::vector<std::uint32_t> shares =
        exact::exclusive_shares(honest, alone, all, seed).value();
    for (const std::uint32_t share : shares) {
      outcome_.honest_exclusive += share * 0x1p-30;
      ++pairs_;
    }
  }

  static void note_accepted(const Taken& taken, Outcome& outcome) {
    const std::vector<std::uint32_t>& group = taken.groups;
    std::vector<int> size(group.size());
    for (const std::uint32_t first : group) ++size[first];
    for (std::size_t i = 0; i < group.size(); ++i) {
      const bool honest = taken.honest[i];
      ++(honest ? outcome.honest_taken : outcome.colluding_taken);
      if (size[group[i]] > 1) ++(honest ? outcome.honest_grouped : outcome.colluding_grouped);
    }
  }

  inline static const Digest kBase{};
  const Cell& cell_;
  const Plan& plan_;
  Learner& learner_;
  Codec up_, down_;
  std::vector<Token> report_, gate_, their_rows_;
  Vector theta_, residual_;
  Bytes update_;
  std::vector<double> before_;  // the gate's losses of this round's base
  std::map<std::pair<Digest, double>, std::vector<double>> gains_;  // by contribution and clip
  Vectors last_;
  std::vector<Peer> peers_;  // the colluders first
  std::size_t colluders_ = 0;
  std::uint64_t round_ = 0, pairs_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome run_cell(const Cell& cell, const Plan& plan, const Vector& start, Learner& learner) {
  return Run(cell, plan, start, learner).run();
}

}  // namespace harambee::attack_bench

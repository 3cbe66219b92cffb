#include "exact/robust.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/mutant.h"
#include "exact/math.h"
#include "exact/points.h"
#include "exact/real.h"

namespace harambee::exact {
namespace {

using Kind = RobustRule::Kind;
constexpr std::int64_t kBillion = 1'000'000'000;

constexpr std::array<std::pair<Kind, std::string_view>, 5> kNames{{{Kind::mean, "mean"},
                                                                   {Kind::clip, "clip"},
                                                                   {Kind::centered, "centered"},
                                                                   {Kind::neighbours, "neighbours"},
                                                                   {Kind::krum, "krum"}}};

bool needs_gram(Kind kind) { return kind != Kind::mean && kind != Kind::clip; }

// The norm at which the votes, from the smallest norm up, first reach half of all: with equal votes
// the lower median. Newcomers with small caps cannot move it by their number.
SquaredNorm median_of(std::span<const SquaredNorm> norms, std::span<const std::uint32_t> vote) {
  std::vector<std::pair<SquaredNorm, std::uint64_t>> sorted;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    sorted.emplace_back(norms[i], vote[i]);
    all += vote[i];
  }
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) { return a.first < b.first; });
  std::uint64_t below = 0;
  for (const auto& [norm, votes] : sorted) {
    below += votes;
    if (2 * below >= all) return norm;
  }
  return sorted.back().first;
}

Status check(const RobustRule& rule, const RobustRound& round) {
  if (Status valid = rule.validate(); !valid) return valid;
  const std::size_t count = round.deltas.size();
  if (!round.standing.empty() && round.standing.size() != count) {
    return invalid("robust: standing of another number of contributions");
  }
  if (!round.group.empty() && round.group.size() != count) {
    return invalid("robust: groups of another number of contributions");
  }
  if (std::ranges::any_of(round.standing, [](std::uint32_t cap) { return cap > kFullVote; })) {
    return invalid("robust: a standing above one");
  }
  for (std::size_t i = 0; i < round.group.size(); ++i) {
    if (round.group[i] > i || round.group[round.group[i]] != round.group[i]) {
      return invalid("robust: a group is not named by its first contribution");
    }
  }
  return ok();
}

// Makes the step shorter if it is more than step_max times as long as the previous update, which is
// the last point of the Gram matrix. The weights are those of the other points, in order.
void bound_step(const Gram& gram, const Decimal& step_max, Weights& weights) {
  const std::size_t last = gram.size() - 1;
  const double reference = std::sqrt(static_cast<double>(gram.integer(last, last)));
  if (reference == 0) return;
  const auto factor = [&](std::size_t i) {
    return static_cast<double>(i == last ? weights.previous : weights.weight[i]);
  };
  double square = 0;
  for (std::size_t i = 0; i < gram.size(); ++i) {
    for (std::size_t j = 0; j < gram.size(); ++j) {
      square += (factor(i) * factor(j)) * static_cast<double>(gram.integer(i, j));
    }
  }
  const double length = std::sqrt(std::max(0.0, square));
  const double times =
      std::ldexp(length / reference, weights.exponent - gram.exponent(last)) / step_max.to_double();
  weights.divisor = std::max(weights.divisor, times);
}

// At least half of the votes that were possible: what the aggregate divides by is never less.
double half_of_possible(const RobustRound& round) {
  if (HARAMBEE_MUTANT("thin-round")) return 0;
  return 0.5 * (static_cast<double>(round.possible) * 0x1p-30);
}

// Clipping and votes in integers alone: "mean" and "clip".
Weights vote_weights(bool clipped, std::span<const SquaredNorm> norms,
                     std::span<const std::uint32_t> vote, double divisor_min) {
  const SquaredNorm middle = median_of(norms, vote);
  std::vector<Real> factors(norms.size());
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    all += vote[i];
    if (norms[i].integer == 0) continue;
    const bool cut = clipped && !HARAMBEE_MUTANT("no-clip");
    const Real clip = cut ? clip_real(norms[i], middle) : kOne;
    factors[i] = product(clip, Real{vote[i], -30});
    factors[i].exponent += norms[i].exponent;
  }
  const double divisor = all == 0 ? 1 : static_cast<double>(all) * 0x1p-30;
  return to_weights(factors, Real{}, std::max(divisor, divisor_min));
}

// Each group becomes one point: the mean of its clipped members by their votes.
struct Grouped {
  std::vector<std::size_t> point;  // of each contribution
  std::vector<double> share;       // of the contribution in its point; they sum to one
  std::vector<double> clip;
  Points points;
};

Grouped group_points(const Gram& gram, std::span<const SquaredNorm> norms,
                     std::span<const std::uint32_t> vote, std::span<const std::uint32_t> group,
                     bool with_previous) {
  const std::size_t count = norms.size();
  Grouped out;
  out.point.resize(count);
  std::vector<double> total;
  for (std::size_t i = 0; i < count; ++i) {
    if (group[i] == i) {
      out.point[i] = total.size();
      total.push_back(0);
    } else {
      out.point[i] = out.point[group[i]];
    }
    total[out.point[i]] += vote[i];
  }
  const SquaredNorm middle = median_of(norms, vote);
  std::vector<double> factor(count + 1, 1.0);  // the previous update stays as it is
  for (std::size_t i = 0; i < count; ++i) {
    const double all = total[out.point[i]];
    out.share.push_back(all > 0 ? vote[i] / all : 0);
    const Real clip = clip_real(norms[i], middle);
    out.clip.push_back(static_cast<double>(clip.mantissa) * power_of_two(clip.exponent));
    factor[i] = out.share[i] * out.clip[i];
  }
  out.points = Points(std::move(total), with_previous);
  std::vector<std::size_t> at = out.point;
  if (with_previous) at.push_back(out.points.count());
  for (std::size_t i = 0; i < at.size(); ++i) {
    for (std::size_t j = 0; j < at.size(); ++j) {
      out.points.inner(at[i], at[j]) += factor[i] * factor[j] * gram.value(i, j);
    }
  }
  return out;
}

std::vector<double> coefficients(const RobustRule& rule, const Points& points) {
  const double faulty = rule.faulty.to_double();
  switch (rule.kind) {
    case Kind::neighbours:
      return geometric_median_of_neighbours(points, faulty);
    case Kind::krum:
      return multi_krum(points, faulty);
    default:
      return centered_clipping(points, rule.iterations);
  }
}

// The rules that look at distances.
Weights point_weights(const RobustRule& rule, const RobustRound& round, const Gram& gram,
                      std::span<const SquaredNorm> norms, std::span<const std::uint32_t> vote,
                      std::span<const std::uint32_t> group) {
  const Delta* center = rule.kind == Kind::centered ? round.previous : nullptr;
  const Grouped grouped = group_points(gram, norms, vote, group, center != nullptr);
  const std::vector<double> chosen = coefficients(rule, grouped.points);
  const SquaredNorm middle = median_of(norms, vote);
  std::vector<Real> factors(norms.size());
  for (std::size_t i = 0; i < norms.size(); ++i) {
    if (norms[i].integer == 0) continue;
    const double part = chosen[grouped.point[i]] * grouped.share[i];
    factors[i] = product(to_real(part), clip_real(norms[i], middle));
    factors[i].exponent += norms[i].exponent;
  }
  Real previous;
  if (center != nullptr && center->squared_norm().integer != 0) {
    previous = to_real(chosen[grouped.points.count()]);
    previous.exponent += center->exponent();
  }
  const double counted = grouped.points.total() * 0x1p-30;
  const double shorter = counted > 0 ? half_of_possible(round) / counted : 1;
  return to_weights(factors, previous, std::max(1.0, shorter));
}

}  // namespace

Status RobustRule::validate() const {
  if (name(kind).empty()) return invalid("robust: unknown rule");
  if (iterations < 1 || iterations > kIterationsMax) return invalid("robust: 1 to 8 iterations");
  if (norm_max.nanos != 0 && norm_max.nanos < kBillion) {
    return invalid("robust: norm_max is 0 or at least 1");
  }
  if (similar.nanos < 0 || similar.nanos > kBillion) return invalid("robust: similar is 0 to 1");
  if (sample.nanos <= 0 || sample.nanos > kBillion) {
    return invalid("robust: sample is above 0, up to 1");
  }
  if (faulty.nanos < 0 || 2 * faulty.nanos >= kBillion) {
    return invalid("robust: faulty is 0 or more, below 0.5");
  }
  if (step_max.nanos != 0 && step_max.nanos < kBillion) {
    return invalid("robust: step_max is 0 or at least 1");
  }
  return ok();
}

std::string_view name(RobustRule::Kind kind) {
  for (const auto& [known, text] : kNames) {
    if (known == kind) return text;
  }
  return {};
}

std::optional<Kind> rule_kind(std::string_view name) {
  for (const auto& [kind, text] : kNames) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

std::vector<std::string> norm_verdicts(std::span<const SquaredNorm> norms,
                                       const Decimal& norm_max) {
  std::vector<std::string> out(norms.size());
  std::vector<SquaredNorm> sent;
  for (const SquaredNorm& norm : norms) {
    if (norm.integer != 0) sent.push_back(norm);
  }
  if (norm_max.nanos <= 0 || sent.empty()) return out;
  const SquaredNorm middle = median(sent);
  for (std::size_t i = 0; i < norms.size(); ++i) {
    if (norms[i] <= middle) continue;
    // In units of 2^-30 of the median, rounded down, and no more than 2^32 times it.
    const Real times = ratio(norms[i], middle);
    const int shift = times.exponent + 30;
    const std::uint64_t scaled = times.top() >= 32   ? std::uint64_t{1} << 62
                                 : shift >= 0        ? times.mantissa << shift
                                 : times.top() < -30 ? 0
                                                     : times.mantissa >> -shift;
    const uint128 limit = static_cast<uint128>(static_cast<std::uint64_t>(norm_max.nanos)) << 30;
    if (static_cast<uint128>(scaled) * kBillion <= limit) continue;
    const std::uint64_t whole = scaled >> 30;
    const std::uint64_t tenth = ((scaled & (kFullVote - 1)) * 10) >> 30;
    out[i] = "norm: " + std::to_string(whole) + "." + std::to_string(tenth) + " times the median";
  }
  return out;
}

Result<std::vector<std::uint32_t>> find_groups(const RobustRule& rule,
                                               std::span<const Delta> deltas, const Digest& seed) {
  if (Status valid = rule.validate(); !valid) return valid.error();
  if (rule.similar.nanos == 0) {
    std::vector<std::uint32_t> alone(deltas.size());
    for (std::uint32_t i = 0; i < alone.size(); ++i) alone[i] = i;
    return alone;
  }
  Result<Gram> gram = Gram::make(deltas, nullptr, rule.sample, seed);
  if (!gram) return gram.error();
  return similar_groups(*gram, deltas.size(), rule.similar);
}

std::vector<std::uint32_t> votes(std::span<const std::uint32_t> standing,
                                 std::span<const std::uint32_t> group) {
  HARAMBEE_CHECK(standing.size() == group.size());
  std::vector<std::uint64_t> sum(group.size()), most(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    sum[group[i]] += standing[i];
    most[group[i]] = std::max<std::uint64_t>(most[group[i]], standing[i]);
  }
  std::vector<std::uint32_t> out(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (standing[i] == 0) continue;
    const std::uint64_t part = HARAMBEE_MUTANT("copies-vote")
                                   ? standing[i]
                                   : standing[i] * most[group[i]] / sum[group[i]];  // both ≤ 2^30
    out[i] = static_cast<std::uint32_t>(std::max<std::uint64_t>(part, 1));
  }
  return out;
}

Result<Weights> robust_weights(const RobustRule& rule, const RobustRound& round) {
  HARAMBEE_CHECK(float_mode_is_exact());
  if (Status usable = check(rule, round); !usable) return usable.error();
  const std::size_t count = round.deltas.size();
  if (count == 0) return invalid("robust: no contributions");
  std::vector<SquaredNorm> norms;
  norms.reserve(count);
  for (const Delta& delta : round.deltas) norms.push_back(delta.squared_norm());
  std::vector<std::uint32_t> standing(round.standing.begin(), round.standing.end());
  if (standing.empty()) standing.assign(count, kFullVote);
  std::vector<std::uint32_t> group(round.group.begin(), round.group.end());

  const bool clipped = rule.kind == Kind::clip;
  const bool bounded = rule.step_max.nanos > 0 && round.previous != nullptr;
  if (!needs_gram(rule.kind) && !bounded) {
    if (group.empty()) {
      Result<std::vector<std::uint32_t>> found = find_groups(rule, round.deltas, round.seed);
      if (!found) return found.error();
      group = *std::move(found);
    }
    return vote_weights(clipped, norms, votes(standing, group), half_of_possible(round));
  }
  const bool centered = rule.kind == Kind::centered && !HARAMBEE_MUTANT("no-center");
  const Delta* center = bounded || centered ? round.previous : nullptr;
  Result<Gram> gram = Gram::make(round.deltas, center, rule.sample, round.seed);
  if (!gram) return gram.error();
  if (group.empty()) group = similar_groups(*gram, count, rule.similar);
  const std::vector<std::uint32_t> vote = votes(standing, group);
  Weights weights = needs_gram(rule.kind)
                        ? point_weights(rule, round, *gram, norms, vote, group)
                        : vote_weights(clipped, norms, vote, half_of_possible(round));
  if (bounded && !HARAMBEE_MUTANT("any-step")) bound_step(*gram, rule.step_max, weights);
  return weights;
}

}  // namespace harambee::exact

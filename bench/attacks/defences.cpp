// The defences that docs/attacks.md compares.
#include <algorithm>
#include <cmath>

#include "bench/attacks/defence.h"

namespace harambee::attack_bench {
namespace {

using exact::Delta;
using exact::RobustRule;

std::vector<Defence>& registry() {
  static std::vector<Defence> all;
  return all;
}

RobustRule rule(RobustRule::Kind kind, bool layers) {
  RobustRule out;
  out.kind = kind;
  if (layers) {
    out.step_max = Decimal{3'000'000'000};
  } else {
    out.norm_max = out.similar = Decimal{0};
  }
  return out;
}

// The median of those that send a coordinate: what not to do with sparse contributions.
Status coordinate_median(const exact::RobustRound& round, std::span<float> u) {
  std::vector<std::vector<float>> values;
  for (const Delta& delta : round.deltas) values.push_back(decode(delta));
  std::vector<float> sent;
  for (std::size_t i = 0; i < u.size(); ++i) {
    sent.clear();
    for (const auto& one : values) sent.push_back(one[i]);
    const auto middle = sent.begin() + static_cast<std::ptrdiff_t>((sent.size() - 1) / 2);
    std::nth_element(sent.begin(), middle, sent.end());
    u[i] = *middle;
  }
  return ok();
}

using Kind = RobustRule::Kind;
const RegisteredDefence kMean({.name = "mean",
                               .about = "plain mean, no defence",
                               .rule = rule(Kind::mean, false),
                               .place = 1});
const RegisteredDefence kMedian({.name = "median",
                                 .about = "median of each coordinate",
                                 .rule = rule(Kind::mean, false),
                                 .combine = coordinate_median,
                                 .place = 2});
const RegisteredDefence kClip({.name = "clip",
                               .about = "clipped to the median norm, mean",
                               .rule = rule(Kind::clip, false),
                               .place = 3});
const RegisteredDefence kKrum(
    {.name = "krum",
     .about = "no held-out text: norm verdicts, groups, multi-Krum for 30 %, bounded steps",
     .rule = rule(Kind::krum, true),
     .place = 4});
const RegisteredDefence kNeighbours({.name = "neighbours",
                                     .about = "no held-out text: norm verdicts, groups, "
                                              "nearest-neighbour mixing and geometric median for "
                                              "30 %, bounded steps",
                                     .rule = rule(Kind::neighbours, true),
                                     .place = 5});
const RegisteredDefence kCentered(
    {.name = "centered",
     .about = "no held-out text: norm verdicts, groups, centered clipping, bounded steps",
     .rule = rule(Kind::centered, true),
     .place = 6});
const RegisteredDefence kGate({.name = "gate",
                               .about = "held-out gain, clipped to the median norm",
                               .gate = true,
                               .rule = rule(Kind::clip, false),
                               .place = 7});
const RegisteredDefence kUnguarded({.name = "unguarded",
                                    .about = "full without domains",
                                    .gate = true,
                                    .thin = true,
                                    .rule = rule(Kind::centered, true),
                                    .place = 9});
const RegisteredDefence kFull(
    {.name = "full",
     .about = "held-out gain with guarded domains, norm verdicts, groups, "
              "centered clipping, bounded steps: the default recipe",
     .gate = true,
     .guard = 0.05,
     .serves = true,
     .thin = true,
     .rule = rule(Kind::centered, true),
     .place = 8});

}  // namespace

RegisteredDefence::RegisteredDefence(const Defence& defence) {
  std::vector<Defence>& all = registry();
  all.insert(std::ranges::upper_bound(all, defence.place, {}, &Defence::place), defence);
}

std::span<const Defence> defences() { return registry(); }

}  // namespace harambee::attack_bench

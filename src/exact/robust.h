// Which weight each contribution gets in a round's aggregate, so that a minority cannot steer it:
// pure functions of the contributions in log order, the members' standing, the update before and a
// seed (spec/robust.md). The coordinator and every auditor compute the same integers.
//
// Rules that look at one coordinate at a time (median, trimmed mean) are not here: the supports of
// sparse deltas are nearly disjoint, and such rules lose the training without any attacker.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/result.h"
#include "exact/aggregate.h"
#include "exact/codec.h"
#include "exact/gram.h"

namespace harambee::exact {

inline constexpr std::uint32_t kFullVote = std::uint32_t{1} << 30;  // a standing cap of 1
inline constexpr int kIterationsMax = 8;

struct RobustRule {
  // Values are not part of any format; recipes have the names.
  enum class Kind : std::uint8_t {
    mean,        // "mean": votes only, no clipping. For comparison; one huge contribution ruins it.
    clip,        // "clip": each clipped to the median norm
    centered,    // "centered": clipped, then clipped again around the previous update
    neighbours,  // "neighbours": clipped, each replaced by the mean of its nearest, then the
                 // geometric median. Needs no held-out data; costs minorities their say.
    krum,        // "krum": clipped, then the mean of those with the nearest neighbours. As above.
  };
  Kind kind = Kind::centered;
  int iterations = 2;                // of centered clipping, 1…kIterationsMax
  Decimal norm_max{10'000'000'000};  // times the median norm; 0: no verdict about norms
  Decimal similar{500'000'000};      // cosine above which contributions share a vote; 0: off
  Decimal sample{1'000'000'000};     // share of the chunks that the Gram matrix looks at
  Decimal faulty{300'000'000};       // neighbours and krum: share that may be malicious, below 0.5
  // How many times as long as the previous update the step may be; at least 1; 0: any length.
  Decimal step_max{0};

  [[nodiscard]] Status validate() const;
};
[[nodiscard]] std::string_view name(RobustRule::Kind kind);
[[nodiscard]] std::optional<RobustRule::Kind> rule_kind(std::string_view name);

// ---- Facts that a validator states about the well-formed contributions of a round, in log order.

// "norm: 23.4 times the median" for each contribution whose norm is above norm_max times the lower
// median of those that are not zero; otherwise empty. Exact; over all chunks.
[[nodiscard]] std::vector<std::string> norm_verdicts(std::span<const SquaredNorm> norms,
                                                     const Decimal& norm_max);

// The group of each contribution (gram.h). All alone if rule.similar is 0; nothing is read then.
[[nodiscard]] Result<std::vector<std::uint32_t>> find_groups(const RobustRule& rule,
                                                             std::span<const Delta> deltas,
                                                             const Digest& seed);

// ---- The aggregate's weights.

struct RobustRound {
  std::span<const Delta> deltas{};            // accepted, in log order
  std::span<const std::uint32_t> standing{};  // cap of each author, ≤ kFullVote; empty: all full
  std::span<const std::uint32_t> group{};  // position of the group's first; empty: find them here
  const Delta* previous = nullptr;         // the update of the round before; null if there was none
  Digest seed{};                           // draws the sample of chunks
  // Sum of the caps of all well-formed contributions, in units of 2^-30. If the votes are less than
  // half of it, the step is made shorter in proportion: in a round whose gate refused most, the few
  // that are left must not step for everybody. 0: the step is always the full mean.
  std::uint64_t possible = 0;
};

// Each contribution's vote in units of 2^-30: a group has one, that of its member of highest
// standing, and its members share it in proportion to their standing (rounded down, at least one
// unit where standing is not zero).
[[nodiscard]] std::vector<std::uint32_t> votes(std::span<const std::uint32_t> standing,
                                               std::span<const std::uint32_t> group);

// With a step_max and a previous update that is not zero, the divisor is at least the one at which
// the step is step_max times as long as that update (over the sampled chunks): the Gram matrix is
// then needed by every rule.
// invalid, limit: as Gram::make, a rule that is not valid, standing or groups of another length or
// out of range. All weights are zero if everybody's norm or vote is.
[[nodiscard]] Result<Weights> robust_weights(const RobustRule& rule, const RobustRound& round);

}  // namespace harambee::exact

// How the accepted contributions of a round share votes: similar ones have one together, and
// newcomers' votes are small while others are there (spec/run.md §9).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "fold/state.h"

namespace harambee::fold {

inline constexpr std::uint32_t kFullVote = std::uint32_t{1} << 30;  // a standing cap of 1

// For each of the accepted contributions (`accepted`: their positions in the round, ascending) the
// index in `accepted` of its group's first one. Two are in one group if more than half of the
// scores put them there, or a chain of such pairs joins them: no minority of validators can tie or
// untie anybody.
[[nodiscard]] std::vector<std::uint32_t> groups_of(const RoundState& round,
                                                   std::span<const std::size_t> accepted);

// Groups named by positions in the round (Verdict::group, ClosedContribution::group) as indices
// among the accepted, as from groups_of(). `accepted` ascends and holds every name in `group`.
[[nodiscard]] std::vector<std::uint32_t> as_indices(std::span<const std::size_t> accepted,
                                                    std::span<const std::size_t> group);

// The largest vote of each author in units of 2^-30. `group` as from groups_of().
// A newcomer has fewer than judge.newcomer_rounds accepted contributions. With E groups that have
// an established member and W that have none, E ≥ 1, a newcomer's cap is
// min(1, s/(1 − s) · E/W), rounded down, s = judge.newcomer_share: the newcomers' groups together
// have at most the share s of all votes. Without anybody established, everybody's cap is 1.
[[nodiscard]] std::vector<std::uint32_t> standing_caps(const RunState& run,
                                                       std::span<const KeyId> authors,
                                                       std::span<const std::uint32_t> group);

// The sum of the largest cap of each group, all of the round's well-formed contributions (their
// positions, ascending) taken as accepted: in units of 2^-30.
[[nodiscard]] std::uint64_t possible_votes(const RunState& run,
                                           std::span<const std::size_t> well_formed);

}  // namespace harambee::fold

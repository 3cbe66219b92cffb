// Who may commit in a round of a run that has more members than judge.cohort, and which validators
// score it: drawn from what nobody chose (spec/assignment.md).
#pragma once

#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "base/sign.h"
#include "fold/state.h"

namespace harambee::fold {

// The seed of a round's cohort. `opening`: the record that opened the round.
[[nodiscard]] Digest cohort_seed(const Digest& run, std::uint64_t round, const RecordId& opening);

// `count` of these keys (all, if they are not more), each set equally likely: a partial
// Fisher–Yates shuffle by an Rng of this seed. In the order of the shuffle.
[[nodiscard]] std::vector<KeyId> draw_some(std::vector<KeyId> keys, std::size_t count,
                                           const Digest& seed);

// The cohort of the round that run.round says is opening, ascending by key; empty if everybody may
// commit: judge.cohort is 0, or not more members than that could.
[[nodiscard]] std::vector<KeyId> draw_cohort(const RunState& run, const RecordId& opening);

// The validators that score the open round, in the run record's order; empty if all do that no
// audit has shown to lie: judge.committee is 0, or not fewer than they are.
[[nodiscard]] std::vector<KeyId> draw_committee(const RunState& run, const Digest& score_seed);

}  // namespace harambee::fold

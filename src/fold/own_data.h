// The own-versus-random test (spec/run.md §9): a contribution that was trained on the rows that its
// author was given is better on them than on others of the same shards. One that was not has no
// reason to be: better in half of the rounds, whatever the data are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/sign.h"
#include "fold/acts.h"
#include "fold/recipe.h"

namespace harambee::fold {

inline constexpr std::uint64_t kOwnRows = 8;  // of either kind, of one contribution
// Shards of which a validator fetches no more for this test: then it says nothing.
inline constexpr std::uint64_t kOwnBytesMax = std::uint64_t{256} << 20;

// Whose rows, measured by whom. Each validator draws its own, so that the median over them knows
// more than one does.
struct OwnDraw {
  Digest run;
  std::uint64_t round = 0;
  KeyId author;
  KeyId validator;
  Digest score_seed;
  std::uint64_t steps = 0, batch = 0;  // of the inner rule
  std::uint64_t bytes = 0;             // of the author's shards
  std::uint64_t context = 0;           // < bytes
};
// Places in the author's concatenated shards: kOwnRows of the rows that its inner steps used in
// this round, then kOwnRows of any.
[[nodiscard]] std::vector<std::uint64_t> own_rows(const OwnDraw& draw);

// What the scores say of a contribution: the mean of the two middle values (rounded towards zero),
// of one if their number is odd. None unless more than half of the scores that evaluated it
// measured it. An even number has no median whose sign is as likely wrong as right.
[[nodiscard]] std::optional<std::int64_t> own_median(std::span<const ScoreEntry* const> evaluated);

// The last rounds in which a member was measured, at most 64: bit 0 is the newest.
struct OwnRecord {
  std::uint64_t better = 0;
  std::int64_t known = 0;  // of the bits
  bool idle = false;       // its work does not count: it seems not to be trained on its own rows
  bool operator==(const OwnRecord&) const = default;
};

// How often of `window` rounds, 8 … 64, is too seldom, and how often is enough again.
struct OwnLimits {
  std::int64_t idle_at = 0;     // so often or less: idle
  std::int64_t working_at = 0;  // so often or more: not any more
};
// idle_at: the largest k with P(Bin(window, 4/5) ≤ k) ≤ 10^-5; −1 if there is none. working_at: the
// smallest k with P(Bin(window, 1/2) ≥ k) ≤ 10^-3; `window` if there is none.
[[nodiscard]] OwnLimits own_limits(std::int64_t window);

// One more measurement. window: judge.own_rounds, > 0.
void remember_own(OwnRecord& record, std::int64_t window, std::int64_t own_nanos);
// "own data: better on its own rows in 2 of 12 rounds"
[[nodiscard]] std::string own_reason(const OwnRecord& record);

}  // namespace harambee::fold

// The judge's arithmetic on the blobs of one round, the same for everybody who has them: what a
// validator states besides gains, and the step that a coordinator makes and an auditor makes again
// (spec/run.md §9, spec/robust.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "exact/codec.h"
#include "exact/outer_step.h"
#include "exact/robust.h"
#include "fold/recipe.h"
#include "fold/state.h"
#include "record/blob_ref.h"

namespace harambee::node {

// A recipe's judge as exact/ knows it.
[[nodiscard]] exact::RobustRule robust_rule_of(const fold::JudgeRule& judge);

// One committed contribution, with its bytes if they were revealed. Borrows them.
struct Revealed {
  BlobRef ref;
  KeyId author;
  std::optional<View> bytes;
  bool foreign_domain = false;  // run_manifest.h
};

// What its bytes show.
struct Finding {
  std::string verdict;                // "ok", "withheld", "malformed: …", "norm: …"
  std::int64_t group = 0;             // position of the first one that is like it
  std::optional<exact::Delta> delta;  // well-formed, whatever its norm; borrows the bytes
};

struct RoundContext {
  const fold::Recipe& recipe;
  std::uint64_t parameters = 0;
  Digest base;  // weights that the round starts from
  Digest seed;  // the score seed; draws the sample of chunks
};

// Of all contributions of a round, in log order. Two validators that saw the same blobs find the
// same. An error only for a recipe that cannot be used.
[[nodiscard]] Result<std::vector<Finding>> examine(const RoundContext& context,
                                                   std::span<const Revealed> revealed);

// The accepted contributions of a round and their votes, in log order.
struct Accepted {
  std::vector<exact::Delta> deltas;
  std::vector<std::uint32_t> standing;  // fold/votes.h
  std::vector<std::uint32_t> group;     // index of the group's first
  std::uint64_t possible = 0;           // votes that could have been (fold/judge.h)
};

// The outer step by the recipe's rule. `previous`: the newest update before this round, null if
// there was none. Returns the update blob; errors as exact::close_round.
[[nodiscard]] Result<Bytes> close_round(const RoundContext& context, const Accepted& accepted,
                                        const exact::Delta* previous, exact::RunNumbers& numbers);

}  // namespace harambee::node

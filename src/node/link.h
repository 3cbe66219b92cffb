// One link of a member's chain, trained again: what its author must have done (spec/audit.md §1).
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "fold/audit_acts.h"
#include "fold/state.h"
#include "format/model.h"
#include "node/trainer_process.h"

namespace harambee::node {

// Which link, and whether its author said that it began afresh.
struct Link {
  KeyId author;
  std::int64_t round = 0;
  bool fresh_residual = false;
  bool fresh_optimizer = false;
};

struct LinkWork {
  TrainerProcess& trainer;
  const fold::RunState& run;
  const format::ModelLayout& layout;
  std::vector<std::filesystem::path> shards;  // this member's, in its order
  std::filesystem::path base;                 // the round's weights as a file
  std::span<const float> base_weights;        // the same
  Digest base_digest;
  std::filesystem::path state;  // the optimizer's: read unless fresh, then the one after
  std::filesystem::path out;    // the trained weights; overwritten
  std::function<bool()> go_on;  // may be empty
};

// Indices of a member's shards among `count`.
[[nodiscard]] std::vector<std::uint64_t> shards_of_member(const fold::RunState& run,
                                                          const KeyId& author, std::uint64_t count);

// Its inner steps alone: the trained weights are then in work.out, the optimizer's state after in
// work.state. Returns the digest of the latter. refused: the trainer itself says no.
[[nodiscard]] Result<Digest> train_steps(const Link& link, const LinkWork& work);

// Trains the link. `residual` is the error feedback before, and after; empty: all zero. Whatever
// cannot be sent (not finite) has no delta. refused: the trainer itself says no.
[[nodiscard]] Result<fold::Replica> train_link(const Link& link, const LinkWork& work,
                                               std::vector<float>& residual);

}  // namespace harambee::node

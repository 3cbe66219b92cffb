// Trains a contribution again from what the log names, and says how it compares (spec/audit.md).
// What auditors log and what `verify --audits` checks them with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/result.h"
#include "fold/audit_acts.h"
#include "fold/state.h"
#include "format/model.h"
#include "node/replay.h"
#include "node/trainer_process.h"

namespace harambee::node {

// An optimizer state is a few floats a parameter; nobody downloads more.
[[nodiscard]] constexpr std::uint64_t state_bytes_max(std::uint64_t parameters) {
  return 64 * parameters + (std::uint64_t{1} << 20);
}

// Where the parts come from. Everything is checked against the log.
struct RepeatWorld {
  TrainerProcess& trainer;
  const format::ModelLayout& layout;
  FetchBlob blobs;
  // The weights at the opening of a round.
  std::function<Result<std::vector<float>>(std::int64_t round)> weights;
  // The training files of a member, in its order.
  std::function<Result<std::vector<std::filesystem::path>>(const KeyId& author)> shards;
  std::filesystem::path dir;  // for work; files named "repeat.*" are written and removed
  std::function<bool()> go_on;
};

// The audit record's content for a contribution of class exact-1 that a closed round has accepted.
// `states`: revealed ones; empty: its whole chain is trained again from the fresh start.
// An accusation is made twice before it is handed out. not_found: a state cannot be had (now).
// unavailable: the trainer failed, or does not give the same bytes twice.
[[nodiscard]] Result<fold::Audit> repeat_contribution(const fold::RunState& run, std::int64_t round,
                                                      const RecordId& contribution,
                                                      const std::vector<BlobRef>& states,
                                                      const RepeatWorld& world);

}  // namespace harambee::node

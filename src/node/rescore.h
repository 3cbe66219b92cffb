// Evaluates a score record again: with an exact trainer, gains and losses must come out to the
// nano-nat.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/acts.h"
#include "fold/state.h"
#include "format/data.h"
#include "node/replay.h"
#include "node/trainer_process.h"

namespace harambee::node {

struct HeldOut {
  std::vector<std::string> files;        // paths, in the manifest's order
  std::vector<std::string> train_files;  // likewise, of the training shards
  const format::DataManifest* data = nullptr;
};

// The first difference between the record and what the trainer says now, or an empty text.
// `round` is the closed round that the score was for; replay.weights() are its base.
[[nodiscard]] Result<std::string> rescore(const fold::RunState& run, const fold::ClosedRound& round,
                                          const KeyId& validator, const fold::Score& score,
                                          const Replay& replay, const FetchBlob& blobs,
                                          const HeldOut& held_out, TrainerProcess& trainer,
                                          const std::string& work_dir);

}  // namespace harambee::node

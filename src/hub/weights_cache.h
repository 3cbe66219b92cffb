// The weights of any round as files: a checkpoint blob where there is one, else computed from the
// nearest checkpoint and the updates after it, and kept for a while; and as GGUF.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "fold/state.h"
#include "hub/hf_catalog.h"
#include "hub/log_folder.h"
#include "hub/shelf.h"

namespace harambee::hub {

// The canonical file of a run's weights at the opening of a round (node/replay.h does it). It is
// called from the cache's own thread.
using MakeWeights = std::function<Result<Bytes>(const fold::RunState& run, std::int64_t round)>;

struct WeightsCacheLimits {
  std::uint64_t file_bytes_max = 4ull << 30;  // larger models are served at checkpoints only
  std::uint64_t bytes_max = 16ull << 30;      // kept in all; the least recently used goes first
  std::uint64_t free_bytes_min = 256ull << 20;
  std::size_t waiting_max = 16;  // rounds that wait for their turn
};

// Thread-safe. What it borrows outlives it.
class WeightsCache {
 public:
  // `shelf` is empty at first and used by nobody else. `make` may be empty: checkpoints only.
  // `wake` is called from the cache's thread when an answer may have become ready.
  WeightsCache(WeightsCacheLimits limits, const LogFolder& log, BlobShelf& blobs, BlobShelf& shelf,
               MakeWeights make, std::function<void()> wake);
  ~WeightsCache();
  WeightsCache(const WeightsCache&) = delete;
  WeightsCache& operator=(const WeightsCache&) = delete;

  struct Made {
    BlobShelf* shelf = nullptr;  // that has the file now
    Digest digest;               // of the file
  };
  // None: not yet, it is being made. not_found: it cannot be made here; unavailable: too many are
  // waiting, or a blob is missing now.
  [[nodiscard]] Result<std::optional<Made>> ask(const HfWeights& weights);
  // The digest of the file alone: it is known longer than a GGUF is kept.
  [[nodiscard]] Result<std::optional<Digest>> digest(const HfWeights& weights);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harambee::hub

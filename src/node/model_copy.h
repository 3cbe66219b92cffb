// The run's exact weights on this machine: takes the newest checkpoint, applies the updates after
// it, and arrives at the digest on the log, or says so and stops. Every step is checked; the last
// ones are kept as canonical safetensors files, so that a restart begins where the last one ended.
// In `dir`: <64 hex>.safetensors, at most kKept of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "fold/state.h"
#include "format/model.h"
#include "node/hub_blobs.h"

namespace harambee::node {

class ModelCopy {
 public:
  static constexpr std::size_t kKept = 3;

  // `blobs` outlives the copy.
  ModelCopy(std::filesystem::path dir, HubBlobs& blobs);

  // Makes run.weights available here; the blobs that led to it are deleted. The run has started.
  // corrupt: the bytes that the log names do not lead to the digest that the log names.
  // not_found, unavailable: a blob cannot be had now; try again.
  [[nodiscard]] Result<std::filesystem::path> catch_up(const fold::RunState& run);
  // Takes in weights that were made here. Durable when it returns.
  [[nodiscard]] Status put(const format::ModelLayout& layout, const Digest& weights,
                           const std::vector<float>& parameters);
  // The flat parameters of a kept file, checked.
  [[nodiscard]] Result<std::vector<float>> load(const format::ModelLayout& layout,
                                                const Digest& weights) const;

  // Deletes all but the newest kKept weights on the log. Failing to is no failure.
  void trim(const fold::RunState& run);

  [[nodiscard]] bool has(const Digest& weights) const;
  [[nodiscard]] std::filesystem::path path(const Digest& weights) const;

 private:
  [[nodiscard]] Result<std::size_t> nearest(const fold::RunState& run) const;
  [[nodiscard]] Status take_checkpoint(const fold::RunState& run, const BlobRef& checkpoint);

  std::filesystem::path dir_;
  HubBlobs& blobs_;
};

// The weights digest before round `round` (= after round − 1); round ≤ history.size().
[[nodiscard]] Digest weights_before(const fold::RunState& run, std::size_t round);

}  // namespace harambee::node

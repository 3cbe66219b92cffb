// The run's exact weights on this machine: takes the newest checkpoint, applies the updates after
// it, and arrives at the digest on the log, or says so and stops. Every step is checked and kept
// as a canonical safetensors file, so that a restart begins where the last one ended.
// In `dir`: <64 hex>.safetensors, the newest kKept of them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/hash.h"
#include "base/result.h"
#include "fold/state.h"
#include "node/hub_blobs.h"

namespace harambee::node {

class ModelCopy {
 public:
  static constexpr int kKept = 3;

  ModelCopy(std::filesystem::path dir, HubBlobs& blobs);

  // Makes the weights at the opening of the run's open round (or its last weights) available.
  // corrupt: the bytes that the log names do not lead to the digest that the log names.
  // not_found or unavailable: a blob cannot be had now; try again.
  [[nodiscard]] Result<std::filesystem::path> catch_up(const fold::RunState& run);
  // Takes in weights made here (a coordinator's close): `file` is moved if it has that digest.
  [[nodiscard]] Status adopt(const std::filesystem::path& file, const Digest& weights);

  [[nodiscard]] bool has(const Digest& weights) const;
  [[nodiscard]] std::filesystem::path path(const Digest& weights) const;

 private:
  [[nodiscard]] Status trim(const Digest& keep);

  std::filesystem::path dir_;
  HubBlobs& blobs_;
};

}  // namespace harambee::node

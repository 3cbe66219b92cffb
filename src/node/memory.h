// Does the model fit into this machine? Asked before joining, answered with the numbers.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "fold/recipe.h"

namespace harambee::node {

struct MemoryNeed {
  std::uint64_t weights_bytes = 0;     // all copies that training and the node hold at once
  std::uint64_t state_bytes = 0;       // AdamW moments, gradients, error feedback
  std::uint64_t activation_bytes = 0;  // of one batch
  [[nodiscard]] std::uint64_t total_bytes() const {
    return weights_bytes + state_bytes + activation_bytes;
  }
};

[[nodiscard]] MemoryNeed memory_need(const fold::Recipe& recipe);
// MemAvailable, or the cgroup's remaining limit if that is less. 0: unknown.
[[nodiscard]] std::uint64_t available_memory_bytes();
// refused: "the model needs about 12.3 GiB of memory (weights 4.0, state 6.1, activations 2.2) and
// 7.5 GiB are free".
[[nodiscard]] Status check_memory(const fold::Recipe& recipe, std::uint64_t available_bytes);

}  // namespace harambee::node

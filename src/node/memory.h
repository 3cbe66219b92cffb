// Does the model fit into this machine? Asked before joining, answered with the numbers.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "fold/recipe.h"
#include "format/model.h"

namespace harambee::node {

struct MemoryNeed {
  std::uint64_t weights_bytes = 0;     // all copies, also those in the order that products want
  std::uint64_t state_bytes = 0;       // AdamW moments, gradients, error feedback
  std::uint64_t activation_bytes = 0;  // of the tokens that are trained at a time
  std::uint64_t program_bytes = 0;     // code, libraries, text
  [[nodiscard]] std::uint64_t total_bytes() const {
    return weights_bytes + state_bytes + activation_bytes + program_bytes;
  }
};

// The exact trainer's process while it trains `batch` rows a step (trainer/exact/model.cpp carves
// its memory): 256 tokens a thread are trained at a time, however large the batch. Zero if the
// model is not valid.
[[nodiscard]] MemoryNeed trainer_memory_need(const format::ModelConfig& model, std::uint32_t batch,
                                             unsigned threads);
// That, and the node's own copies beside it. Another trainer may need more.
[[nodiscard]] MemoryNeed memory_need(const fold::Recipe& recipe, unsigned threads);
// MemAvailable, or the cgroup's remaining limit if that is less. 0: unknown.
[[nodiscard]] std::uint64_t available_memory_bytes();
// refused: "the model needs about 12.3 GiB of memory (weights 4.0, state 6.1, activations 2.2) and
// 7.5 GiB are free".
[[nodiscard]] Status check_memory(const fold::Recipe& recipe, std::uint64_t available_bytes,
                                  unsigned threads);

}  // namespace harambee::node

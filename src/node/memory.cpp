#include "node/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "format/model.h"

namespace harambee::node {
namespace {

double gib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1ull << 30); }

// One number in a small file of the kernel's; 0 if there is none ("max" counts as none).
std::uint64_t number_in(const char* path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? value : 0;
}

std::uint64_t system_available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string label, unit;
  std::uint64_t value = 0;
  while (file >> label >> value) {
    std::getline(file, unit);
    if (label == "MemAvailable:") return value * 1024;
  }
  return 0;
}

}  // namespace

MemoryNeed memory_need(const fold::Recipe& recipe) {
  const auto layout = format::ModelLayout::make(recipe.model);
  if (!layout) return {};
  const auto& model = recipe.model;
  const std::uint64_t parameters_bytes = 4 * layout->parameters();
  MemoryNeed need;
  // The base and the trained weights, each in the trainer and in the node.
  need.weights_bytes = 4 * parameters_bytes;
  // Gradients and two moments in the trainer, the residual in the node.
  need.state_bytes = 4 * parameters_bytes;
  const std::uint64_t tokens =
      static_cast<std::uint64_t>(std::max(recipe.inner.batch, recipe.warm.batch)) * model.context;
  // Kept for the backward pass, per token: about 10 vectors of the hidden width and 4 of the ffn
  // width a layer, the attention matrix's row for each head, and the logits with their gradient.
  const std::uint64_t per_token =
      std::uint64_t{model.layers} *
          (10ull * model.hidden + 4ull * model.ffn + std::uint64_t{model.heads} * model.context) +
      2ull * model.vocab;
  need.activation_bytes = 4 * tokens * per_token;
  return need;
}

std::uint64_t available_memory_bytes() {
  std::uint64_t available = system_available_bytes();
  const std::uint64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const std::uint64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit > used && limit > 0) {
    available = available ? std::min(available, limit - used) : limit - used;
  }
  return available;
}

Status check_memory(const fold::Recipe& recipe, std::uint64_t available_bytes) {
  const MemoryNeed need = memory_need(recipe);
  if (available_bytes == 0 || need.total_bytes() <= available_bytes) return ok();
  return fail(ErrorCode::refused,
              fmt::format("the model needs about {:.1f} GiB of memory (weights {:.1f}, state "
                          "{:.1f}, activations {:.1f}) and {:.1f} GiB are free",
                          gib(need.total_bytes()), gib(need.weights_bytes), gib(need.state_bytes),
                          gib(need.activation_bytes), gib(available_bytes)));
}

}  // namespace harambee::node

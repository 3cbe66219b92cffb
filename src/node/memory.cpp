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

MemoryNeed trainer_memory_need(const format::ModelConfig& model, std::uint32_t batch,
                               unsigned threads) {
  const auto layout = format::ModelLayout::make(model);
  if (!layout) return {};
  // Beyond the model, of a trainer with the smallest one: measured, 12 MB.
  constexpr std::uint64_t kProgramBytes = 12'000'000;
  constexpr std::uint64_t kTokensPerThread = 256, kFloat = 4;
  const std::uint64_t hidden = model.hidden, ffn = model.ffn, vocab = model.vocab;
  const std::uint64_t context = model.context, heads = model.heads, layers = model.layers;
  const std::uint64_t qkv = hidden + 2ull * model.kv_heads * model.head_dim();
  const std::uint64_t parameters = layout->parameters();
  // The embedding is looked up, norms are multiplied: only the other matrices are packed. Twice,
  // for the way there and the way back.
  const std::uint64_t norms = (2 * layers + 1) * hidden;
  const std::uint64_t packed = parameters - norms - (model.tied ? 0 : vocab * hidden);
  // Per token: what a layer keeps for the way back, and what is made on it.
  const std::uint64_t kept = qkv + 2 * heads + 2 * hidden + 2 + 2 * ffn;
  const std::uint64_t per_token =
      layers * (hidden + kept) + 6 * hidden + 1 + vocab + 2 * (5 * hidden + qkv + 3 * ffn);
  const std::uint64_t rows = std::min<std::uint64_t>(
      batch, (kTokensPerThread + context - 1) / context * std::uint64_t{threads});
  // Each thread's own row: without layers, with attention's blocks.
  const std::uint64_t own = 4 * hidden + ffn + vocab + 1 + kept + 2ull * model.head_dim() + 32;
  return {.weights_bytes = kFloat * (parameters + 2 * packed),
          .state_bytes = kFloat * (3 * parameters + (model.tied ? vocab * hidden : 0)),
          .activation_bytes = kFloat * context * (rows * per_token + threads * own),
          .program_bytes = kProgramBytes};
}

MemoryNeed memory_need(const fold::Recipe& recipe, unsigned threads) {
  const auto layout = format::ModelLayout::make(recipe.model);
  if (!layout) return {};
  MemoryNeed need = trainer_memory_need(
      recipe.model, static_cast<std::uint32_t>(std::max(recipe.inner.batch, recipe.warm.batch)),
      threads);
  // The node holds the base, the trained weights and the residual.
  const std::uint64_t parameters_bytes = 4 * layout->parameters();
  need.weights_bytes += 2 * parameters_bytes;
  need.state_bytes += parameters_bytes;
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

Status check_memory(const fold::Recipe& recipe, std::uint64_t available_bytes, unsigned threads) {
  const MemoryNeed need = memory_need(recipe, threads);
  if (available_bytes == 0 || need.total_bytes() <= available_bytes) return ok();
  return fail(ErrorCode::refused,
              fmt::format("the model needs about {:.1f} GiB of memory (weights {:.1f}, state "
                          "{:.1f}, activations {:.1f}) and {:.1f} GiB are free",
                          gib(need.total_bytes()), gib(need.weights_bytes), gib(need.state_bytes),
                          gib(need.activation_bytes), gib(available_bytes)));
}

}  // namespace harambee::node

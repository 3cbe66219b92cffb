// The LLaMA decoder of the exact trainer: forward and backward passes written by hand, the same
// bits on every machine and for every number of threads (spec/exact-trainer.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"
#include "format/model.h"
#include "trainer/exact/kernels.h"
#include "trainer/exact/pool.h"

namespace harambee::trainer {

using Token = std::uint32_t;

// Llama 3's stretched frequencies; only for reading such models (recipes have none).
struct RopeScaling {
  double factor = 8, low_freq_factor = 1, high_freq_factor = 4, original_context = 8192;
};

struct ModelOptions {
  const Kernels* kernels = nullptr;  // null: the best of this processor
  unsigned threads = 1;
  std::uint64_t memory_bytes_max = std::uint64_t{4} << 30;  // of all buffers together
  std::optional<RopeScaling> rope_scaling;
};

// Not thread-safe; uses its own threads. Parameters, gradients and activations live in buffers that
// are taken by make() and reserve_training(), and by nothing else: a step allocates nothing.
// Tokens must be below the vocabulary's size, rows no longer than the context (bugs otherwise).
class Model {
 public:
  // limit: the model's own buffers would exceed memory_bytes_max.
  [[nodiscard]] static Result<std::unique_ptr<Model>> make(const format::ModelLayout& layout,
                                                           const ModelOptions& options);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] const format::ModelLayout& layout() const;
  [[nodiscard]] const Kernels& kernels() const;
  [[nodiscard]] Pool& pool();

  // The flat parameter vector. After writing into it, call touch().
  [[nodiscard]] std::span<float> parameters();
  void touch();

  // Room for training on batches of `rows` rows, or of as many at a time as fit: the bits do not
  // depend on it. limit: not even one row fits. What a call before it reserved is given back.
  [[nodiscard]] Status reserve_training(std::size_t rows);
  // Rows that the training buffers hold at a time; 0 before reserve_training().
  [[nodiscard]] std::size_t rows_at_once() const;
  // How many rows of a batch to reserve for speed: 256 tokens a thread. More of them, and a layer's
  // activations leave the caches before the backward pass wants them again (measured, 16 rows of
  // 128 tokens: 16.2 k tokens/s two rows at a time, 13.8 k all together).
  [[nodiscard]] std::size_t fast_rows(std::size_t batch) const;
  void release_training();

  // tokens: [rows, T+1]. Leaves the gradient of the mean cross-entropy over all rows·T tokens in
  // gradients(), and the mean loss of each row, in nats, in `losses` [rows].
  // Needs reserve_training().
  void gradient(std::span<const Token> tokens, std::size_t rows, std::span<double> losses);
  // In the order of parameters().
  [[nodiscard]] std::span<float> gradients();

  // The mean loss of each row; tokens: [rows, T+1].
  void losses(std::span<const Token> tokens, std::size_t rows, std::span<double> losses);
  // logits [tokens.size(), V] of one row.
  void logits(std::span<const Token> tokens, std::span<float> out);

 private:
  struct Body;
  explicit Model(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace harambee::trainer

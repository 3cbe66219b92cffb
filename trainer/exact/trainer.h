// What a trainer does for a node: make weights, train them, measure them, let them speak. One model
// at a time; files in, files out. The protocol (protocol.h) is a thin layer over this.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "trainer/exact/files.h"
#include "trainer/exact/model.h"
#include "trainer/exact/optimizer.h"

namespace harambee::trainer {

inline constexpr std::size_t kShardFilesMax = 4'096;
inline constexpr std::size_t kEvaluateRowsMax = 65'536;
inline constexpr std::size_t kGenerateBytesMax = 65'536;

struct TrainTask {
  std::string base;                  // weights file
  std::optional<std::string> state;  // none: fresh moments
  std::vector<std::string> shards;
  Digest seed;
  std::uint64_t first_step = 0, total_steps = 0;  // for the learning rate
  InnerConfig inner;
  std::string out, state_out;
};

struct StepReport {
  std::uint64_t step = 0;  // within the task, from 1
  double loss = 0;         // nats per token
  std::uint64_t tokens = 0;
  double gradient_norm = 0;
};

struct TrainResult {
  std::uint64_t steps = 0, tokens = 0;
  std::int64_t loss_first = 0, loss_last = 0;  // nano-nats
  Digest weights, state;
};

// nats → nano-nats, half away from zero; |nats| must be below 9e9.
[[nodiscard]] std::int64_t nano_nats(double nats);

// Reproducible weights: normal with deviation 0.02 (the sum of twelve uniforms), divided by
// sqrt(2·layers) for the matrices that write into the residual stream (o_proj and down_proj, as in
// GPT-2); norms are 1.
void init_weights(const format::ModelLayout& layout, const Digest& seed, std::span<float> out);

class Trainer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Trainer>> make(const format::ModelConfig& config,
                                                             const ModelOptions& options);

  [[nodiscard]] Model& model() { return *model_; }

  [[nodiscard]] Result<Digest> init(const Digest& seed, const std::string& out);
  // Row r of inner step s is the context + 1 bytes at draw(seed, s, r) mod (bytes − context) of the
  // shards, one after another. `report` hears of every step and may stop the work by answering
  // false (cancelled). On failure no weights file is written.
  [[nodiscard]] Result<TrainResult> train(const TrainTask& task,
                                          const std::function<bool(const StepReport&)>& report);
  // The mean loss, in nano-nats, of the context + 1 bytes at each offset of the files together.
  [[nodiscard]] Result<std::vector<std::int64_t>> evaluate(const std::string& weights,
                                                           const std::vector<std::string>& files,
                                                           std::span<const std::uint64_t> offsets);
  // Continues a prompt byte by byte over a window of the last `context` bytes. Temperature 0 takes
  // the likeliest byte (the lowest of equals). An empty prompt counts as one newline.
  [[nodiscard]] Result<Bytes> generate(const std::string& weights, View prompt, std::size_t bytes,
                                       double temperature, const Digest& seed);

 private:
  explicit Trainer(std::unique_ptr<Model> model);
  [[nodiscard]] Status load(const std::string& path);

  std::unique_ptr<Model> model_;
  std::optional<AdamW> optimizer_;
};

}  // namespace harambee::trainer

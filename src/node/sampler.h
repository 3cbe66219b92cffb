// Lets a model write at some rounds, for people to read (spec/sample.md): in a thread of its own,
// with a trainer program of its own that is started for it and ended after it, so that no round
// waits for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/decimal.h"
#include "base/result.h"
#include "fold/sample.h"
#include "node/trainer_process.h"

namespace harambee::node {

struct SampleRule {
  // Every so many rounds; none: at each round whose whole model is on the hub; 0: never.
  std::optional<std::int64_t> every;
  std::vector<Bytes> prompts = {{}};  // at most fold::kSampleTextsMax
  std::int64_t bytes = 256;           // of each text
  Decimal temperature{800'000'000};
};

// After that many closed rounds there shall be a sample. The first weights and the last always
// have one, unless there are none at all.
[[nodiscard]] bool sample_is_due(const SampleRule& rule, const fold::Recipe& recipe,
                                 std::int64_t rounds);

class Sampler {
 public:
  // options.keep_going is not used: the sampler has its own.
  Sampler(SampleRule rule, TrainerOptions options, const format::ModelConfig& model);
  ~Sampler();  // ends the program and waits for the thread
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  [[nodiscard]] const SampleRule& rule() const { return rule_; }
  [[nodiscard]] bool busy() const;  // begun and not yet taken
  // Begins with the weights in `file`, which has the digest `weights` and stays until it is taken.
  // Not while busy().
  void begin(const Digest& run, std::int64_t round, const Digest& weights,
             const std::filesystem::path& file);
  // What was begun, once it is there: waits for it up to `wait_ms`. None: not yet.
  // Errors as TrainerProcess; limit: a trainer that wrote another number of bytes.
  [[nodiscard]] std::optional<Result<fold::Sample>> take(std::int64_t wait_ms);

 private:
  struct Work;
  SampleRule rule_;
  TrainerOptions options_;
  format::ModelConfig model_;
  std::unique_ptr<Work> work_;
};

}  // namespace harambee::node

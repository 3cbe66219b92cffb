// The demo's own training: how fast this machine is, and what the same tokens would have given
// without a swarm (one machine alone; ordinary data-parallel training). Through the trainer
// protocol, from the run's start weights, with the run's schedule.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/demo_plan.h"
#include "cli/demo_state.h"
#include "fold/baseline.h"
#include "fold/recipe.h"

namespace harambee::cli {

struct ComputeOptions {
  std::vector<std::string> trainer;  // empty: harambee-trainer beside this program
  std::filesystem::path dir;         // work files
  const std::atomic<bool>* stop = nullptr;
};

// Trains on noise for about two seconds, on as many threads at once as volunteers will.
[[nodiscard]] Result<Speed> measure_speed(const ComputeOptions& options, unsigned volunteers,
                                          unsigned cores);

// A training to compare with: plain AdamW steps, no rounds, no compression.
struct Baseline {
  std::string name;       // "single", "data-parallel"
  fold::InnerRule inner;  // batch as it is trained; `steps` is the whole training
  unsigned threads = 1;
  std::int64_t segments = 8;  // files on the way, for --resume, and points of the curve
  [[nodiscard]] std::int64_t segment_steps() const;
};

// The two baselines for this many tokens: the single machine takes the volunteers' own batch and
// more steps; data-parallel takes as many steps as a volunteer and their batches together.
[[nodiscard]] std::vector<Baseline> make_baselines(const fold::Recipe& recipe, std::int64_t tokens,
                                                   unsigned cores);

struct BaselineFiles {
  std::filesystem::path start;                // weights to begin with
  std::vector<std::filesystem::path> shards;  // training text
  std::vector<std::filesystem::path> heldout;
  std::uint64_t heldout_bytes = 0;
};
[[nodiscard]] std::filesystem::path baseline_weights(const std::filesystem::path& dir,
                                                     const std::string& name);

struct BaselineNews {
  std::string name;
  std::int64_t step = 0;
  std::int64_t steps = 0;
  std::int64_t loss_nanos = 0;
  std::int64_t tokens_per_second = 0;
};

// All baselines at once, each in a thread of its own; the caller's thread runs on_tick every tenth
// of a second with what is known, and may change nothing of `progress` meanwhile. `keep` is called
// from the caller's thread when a segment was finished. cancelled: stop became true; what was
// finished is kept.
[[nodiscard]] Status train_baselines(
    const ComputeOptions& options, const fold::Recipe& recipe, const Digest& run,
    const std::vector<Baseline>& baselines, const BaselineFiles& files,
    std::map<std::string, BaselineProgress>& progress, const std::function<void()>& keep,
    const std::function<void(const std::vector<BaselineNews>&)>& on_tick);

// What each finished segment has reached, on the rows that the run's validators report; over
// tokens.
[[nodiscard]] std::vector<fold::BaselinePoint> baseline_points(const Baseline& baseline,
                                                               const BaselineProgress& progress,
                                                               std::int64_t context);

// Mean held-out loss over `rows` of the run's report rows, nano-nats.
[[nodiscard]] Result<std::int64_t> held_out_loss(const ComputeOptions& options,
                                                 const fold::Recipe& recipe, const Digest& run,
                                                 const std::filesystem::path& weights,
                                                 const std::vector<std::filesystem::path>& heldout,
                                                 std::uint64_t heldout_bytes, std::int64_t rows,
                                                 unsigned threads);

}  // namespace harambee::cli

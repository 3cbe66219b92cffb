// How a run trains between two outer steps: the recipe's inner part and its learning rate.
#pragma once

#include <cstdint>

#include "base/json.h"
#include "base/result.h"

namespace harambee::trainer {

// The recipe's "inner" object.
struct InnerConfig {
  std::uint32_t batch = 0;  // rows per step
  std::uint32_t steps = 0;
  std::uint64_t warmup = 0;  // global steps
  double lr = 0, final = 0;  // final: the share of lr that is left at the end
  double beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0;
  double clip = 0;  // largest gradient norm; 0: never clipped
};

inline constexpr std::uint32_t kInnerBatchMax = 4'096;
inline constexpr std::uint32_t kInnerStepsMax = 1'000'000;

// Refuses missing and unknown keys, numbers that are no canonical decimals, and values outside
// batch and steps in [1, limit], lr, weight_decay and clip >= 0, final in [0, 1], beta1 and beta2
// in [0, 1), eps > 0.
[[nodiscard]] Result<InnerConfig> inner_from_json(const Json& json);

// The rate of global step `step` of `total`: a ramp lr (step+1)/warmup, then half a cosine down to
// lr·final at `total`, and constant after it. Double arithmetic in a fixed order.
[[nodiscard]] double learning_rate(const InnerConfig& config, std::uint64_t step,
                                   std::uint64_t total);

}  // namespace harambee::trainer

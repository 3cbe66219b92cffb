// AdamW with decoupled weight decay (Loshchilov and Hutter 2017, arXiv 1711.05101), clipping by the
// global norm, and the learning-rate schedule of a run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "trainer/exact/arena.h"
#include "trainer/exact/model.h"

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
// batch and steps in [1, limit], lr >= 0, final, beta1, beta2 in [0, 1) or final = 1, eps > 0,
// weight_decay and clip >= 0.
[[nodiscard]] Result<InnerConfig> inner_from_json(const Json& json);

// The rate of global step `step` of `total`: a ramp lr (step+1)/warmup, then half a cosine down to
// lr·final at `total`, and constant after it. Double arithmetic in a fixed order.
[[nodiscard]] double learning_rate(const InnerConfig& config, std::uint64_t step,
                                   std::uint64_t total);

// The two moments of every parameter, in the flat order, and how many steps made them.
class AdamW {
 public:
  // limit: no memory.
  [[nodiscard]] static Result<AdamW> make(const format::ModelLayout& layout);

  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  void set_steps(std::uint64_t steps) { steps_ = steps; }
  [[nodiscard]] std::span<float> m() const { return {m_.data(), m_.size()}; }
  [[nodiscard]] std::span<float> v() const { return {v_.data(), v_.size()}; }
  void reset();

  // One update of the model's parameters from its gradients, which stay unclipped. Matrices decay,
  // norm weights (one dimension) do not. Returns the norm of the gradient before clipping; if that
  // is not finite, nothing was changed.
  double step(Model& model, const InnerConfig& config, double rate);

 private:
  struct Piece {
    std::size_t offset, size;
    bool decays;
  };
  AdamW() = default;
  [[nodiscard]] double gradient_norm(Model& model);

  FloatBuffer m_, v_;
  std::vector<Piece> pieces_;
  std::vector<float> block_squares_;
  std::uint64_t steps_ = 0;
};

}  // namespace harambee::trainer

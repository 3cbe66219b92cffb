// AdamW with decoupled weight decay (Loshchilov and Hutter 2017, arXiv 1711.05101), and clipping by
// the global norm.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "trainer/exact/arena.h"
#include "trainer/exact/inner.h"
#include "trainer/exact/model.h"

namespace harambee::trainer {

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

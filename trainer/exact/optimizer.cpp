#include "trainer/exact/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "trainer/exact/math.h"

namespace harambee::trainer {
namespace {

// Squares are summed in blocks of this many parameters, then block by block in double.
constexpr std::size_t kNormBlock = 4096;
constexpr std::size_t kNormBlocksPerTask = 16;
constexpr std::size_t kUpdatePiece = 32'768;

}  // namespace

Result<AdamW> AdamW::make(const format::ModelLayout& layout) {
  AdamW a;
  const std::size_t n = layout.parameters();
  a.m_ = FloatBuffer::make(n);
  a.v_ = FloatBuffer::make(n);
  if (a.m_.size() != n || a.v_.size() != n) {
    return fail(ErrorCode::limit, "no memory for the optimizer's state");
  }
  for (const format::TensorPlace& tensor : layout.tensors()) {
    for (std::size_t done = 0; done < tensor.size; done += kUpdatePiece) {
      const std::size_t size = std::min<std::size_t>(kUpdatePiece, tensor.size - done);
      a.pieces_.push_back({tensor.offset + done, size, tensor.shape.size() > 1});
    }
  }
  a.block_squares_.resize((n + kNormBlock - 1) / kNormBlock);
  return a;
}

void AdamW::reset() {
  std::memset(m_.data(), 0, m_.size() * sizeof(float));
  std::memset(v_.data(), 0, v_.size() * sizeof(float));
  steps_ = 0;
}

double AdamW::gradient_norm(Model& model) {
  const std::span<const float> g = model.gradients();
  const std::size_t blocks = block_squares_.size();
  const std::size_t tasks = (blocks + kNormBlocksPerTask - 1) / kNormBlocksPerTask;
  model.pool().run(static_cast<std::uint32_t>(tasks), [&](std::uint32_t task, unsigned) {
    const std::size_t begin = task * kNormBlocksPerTask;
    const std::size_t end = std::min(blocks, begin + kNormBlocksPerTask);
    for (std::size_t b = begin; b < end; ++b) {
      const std::size_t size = std::min(kNormBlock, g.size() - b * kNormBlock);
      block_squares_[b] = model.kernels().sum_squares(size, g.data() + b * kNormBlock);
    }
  });
  double total = 0;
  for (const float squares : block_squares_) total += static_cast<double>(squares);
  return std::sqrt(total);
}

double AdamW::step(Model& model, const InnerConfig& config, double rate) {
  const double norm = gradient_norm(model);
  if (!std::isfinite(norm)) return norm;
  ++steps_;
  AdamStep s;
  if (config.clip > 0 && norm > config.clip) {
    s.gradient_scale = static_cast<float>(config.clip / norm);
  }
  s.beta1 = static_cast<float>(config.beta1);
  s.one_minus_beta1 = static_cast<float>(1.0 - config.beta1);
  s.beta2 = static_cast<float>(config.beta2);
  s.one_minus_beta2 = static_cast<float>(1.0 - config.beta2);
  s.step_size = static_cast<float>(rate / (1.0 - exact_power(config.beta1, steps_)));
  s.root_scale = static_cast<float>(1.0 / std::sqrt(1.0 - exact_power(config.beta2, steps_)));
  s.eps = static_cast<float>(config.eps);
  s.decay = static_cast<float>(1.0 - rate * config.weight_decay);
  AdamStep plain = s;
  plain.decay = 1.0f;
  float* const p = model.parameters().data();
  const float* const g = model.gradients().data();
  model.pool().run(static_cast<std::uint32_t>(pieces_.size()), [&](std::uint32_t task, unsigned) {
    const Piece& piece = pieces_[task];
    model.kernels().adam(piece.size, piece.decays ? s : plain, g + piece.offset,
                         m_.data() + piece.offset, v_.data() + piece.offset, p + piece.offset);
  });
  model.touch();
  return norm;
}

}  // namespace harambee::trainer

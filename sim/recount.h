// The arithmetic of a round once more (spec/outer-step.md), straight down: contributions and the
// update blob in, new weights and residual out. It reads blobs with exact::Delta and computes
// everything else itself: dense vectors, 128-bit integers, no kernels, no encoder.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/sign.h"
#include "exact/codec.h"
#include "fold/recipe.h"

namespace harambee::sim {

struct Recount {
  struct Work {
    View blob;
    KeyId author;
  };
  std::vector<float> weights;
  std::vector<float> residual;  // as long as the weights

  // Goes one round on. Empty: the numbers follow; otherwise what does not fit.
  [[nodiscard]] std::string round(const fold::Recipe& recipe, const exact::Codec& up,
                                  const exact::Codec& down, const Digest& base,
                                  const std::vector<Work>& accepted, std::size_t well_formed,
                                  View update);
};

}  // namespace harambee::sim

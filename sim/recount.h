// The arithmetic of a round once more (spec/outer-step.md, spec/robust.md), straight down:
// contributions and the update blob in, new weights and residual out. It reads blobs with
// exact::Delta and computes everything else itself: dense vectors, 128-bit integers, no kernels, no
// encoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/sign.h"
#include "exact/codec.h"
#include "fold/recipe.h"
#include "sim/dense.h"

namespace harambee::sim {

struct Scene;  // recount_rules.h

struct Recount {
  struct Work {
    View blob;
    KeyId author;
    std::uint64_t cap = 0;  // largest vote, in 2^-30
    std::size_t group = 0;  // index among the accepted of the first that shares its vote
  };
  struct Round {
    const fold::Recipe& recipe;
    const exact::Codec& up;
    const exact::Codec& down;
    Digest base;
    std::vector<Work> accepted;
    std::uint64_t possible = 0;  // votes that there could have been, in 2^-30
    Digest seed;                 // of the round's scores: draws the sample of chunks
    View update;
    std::optional<View> last_update;  // of the newest round before that made one
    Digest last_base;
  };
  std::vector<float> weights;
  std::vector<float> residual;  // as long as the weights
  bool shortened = false;       // the last round's step, to the bound

  // Goes one round on. Empty: the numbers follow; otherwise what does not fit.
  [[nodiscard]] std::string round(const Round& round);

 private:
  std::vector<float> aggregate(const Scene& scene, const fold::JudgeRule& judge);
  std::string take_step(const Dense& step, const std::vector<float>& aggregate, const Round& round);
};

}  // namespace harambee::sim

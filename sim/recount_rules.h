// The rules of spec/robust.md §5 once more: a factor for each accepted contribution, from inner
// products of dense vectors. Part of sim/recount.*.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/decimal.h"
#include "base/hash.h"
#include "fold/recipe.h"
#include "sim/dense.h"

namespace harambee::sim {

// spec/robust.md §1: which chunks of so many parameters the sample has.
[[nodiscard]] std::vector<bool> sampled_chunks(std::size_t parameters, const Decimal& share,
                                               const Digest& seed);

// What the rules look at.
struct Scene {
  std::vector<Dense> works;         // the accepted
  std::vector<std::size_t> group;   // of each, the first that shares its vote
  std::vector<std::uint64_t> caps;  // of each, its largest vote, in 2^-30
  std::optional<Dense> last;        // the previous update, where it is looked at
  std::vector<bool> sample;         // of the chunks
  double half_of_possible = 0;      // votes

  // Filled by prepare():
  std::vector<std::uint64_t> votes;
  Dense middle;                               // of the median length by votes
  std::vector<std::vector<Signed>> products;  // the previous update is the last row
  void prepare();
  [[nodiscard]] double inner(std::size_t i, std::size_t j) const;
};

struct Factors {
  std::vector<Number> of;  // of each contribution, its own exponent included
  Number previous;
  double divisor = 1;
};
[[nodiscard]] Factors factors_of(const Scene& scene, const fold::JudgeRule& judge);

// spec/robust.md §5, "Step bound": how many times the step is longer than allowed, in units of what
// it is divided by; 0: nothing is bounded.
[[nodiscard]] double bound_of(const Scene& scene, const std::vector<std::int64_t>& factor,
                              std::int64_t previous, int k, const Decimal& most);

}  // namespace harambee::sim

// The small thing that is learned: sparse linear regression over the parameters of a tiny model
// file. A row picks a few parameters with signs; its loss is ½(Σ ±(θ − θ*))². Every number comes
// from additions and multiplications in a fixed order, so it is the same on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/hash.h"
#include "fold/recipe.h"

namespace harambee::sim {

class Task {
 public:
  // Rows pick from `live` of the parameters, spread evenly over all; the others mean nothing.
  Task(const Digest& seed, std::size_t parameters, std::size_t live);

  [[nodiscard]] std::size_t live() const { return live_; }
  // Where the live parameter of this number is.
  [[nodiscard]] std::size_t place_of(std::size_t number) const { return number * stride_; }

  [[nodiscard]] const std::vector<float>& first_weights() const { return first_; }
  // The inner steps of one member from `weights`: plain stochastic gradient descent on rows that
  // the seed draws; `lean` in [0, live) shifts which parameters this member's data speaks of.
  [[nodiscard]] std::vector<float> train(std::span<const float> weights, const Digest& seed,
                                         std::uint64_t lean, const fold::InnerRule& rule) const;
  // A part of the live parameters that rows may pick from: the domain of its number, of three.
  struct Part {
    std::uint64_t from = 0, width = 0;
  };
  [[nodiscard]] Part domain(std::size_t number) const;
  // Losses of `rows` rows that pick from this part, in nano-nats.
  [[nodiscard]] std::vector<std::int64_t> evaluate(std::span<const float> weights,
                                                   const Digest& seed, std::int64_t rows,
                                                   const Part& part) const;
  // Losses of eight of the rows that train(…, seed, lean, rule) uses, then of eight others of the
  // same kinds; `draw` draws both.
  [[nodiscard]] std::vector<std::int64_t> evaluate_own(std::span<const float> weights,
                                                       const Digest& seed, std::uint64_t lean,
                                                       const fold::InnerRule& rule,
                                                       const Digest& draw) const;
  // Losses of `rows` rows in nano-nats.
  [[nodiscard]] std::vector<std::int64_t> evaluate(std::span<const float> weights,
                                                   const Digest& seed, std::int64_t rows) const;

 private:
  std::size_t live_, stride_;
  std::vector<float> target_;
  std::vector<float> first_;
};

}  // namespace harambee::sim

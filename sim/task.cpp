#include "sim/task.h"

#include <algorithm>
#include <array>

#include "base/rng.h"
#include "fold/acts.h"

namespace harambee::sim {
namespace {

constexpr std::size_t kPicked = 24;  // parameters in a row
constexpr float kRate = 0.02F;       // of the inner steps: at most 1 / kPicked converges

struct Row {
  std::array<std::uint32_t, kPicked> place;
  std::array<float, kPicked> sign;
};

// `width`: the row picks among so many live parameters from `from` on, around the end.
Row draw_row(Rng& rng, const Task& task, std::uint64_t from, std::uint64_t width) {
  Row row;
  for (std::size_t i = 0; i < kPicked; ++i) {
    const std::uint64_t word = rng.next();
    row.place[i] =
        static_cast<std::uint32_t>(task.place_of((from + (word >> 1) % width) % task.live()));
    row.sign[i] = (word & 1) != 0 ? 1.0F : -1.0F;
  }
  return row;
}

float residual_of(const Row& row, std::span<const float> weights, std::span<const float> target) {
  float sum = 0;
  for (std::size_t i = 0; i < kPicked; ++i) {
    sum += row.sign[i] * (weights[row.place[i]] - target[row.place[i]]);
  }
  return sum;
}

std::int64_t loss_of(const Row& row, std::span<const float> weights,
                     std::span<const float> target) {
  const double off = residual_of(row, weights, target);
  const double loss = std::min(0.5 * off * off * 1e9, static_cast<double>(fold::kNanosMax));
  return loss > 0 ? static_cast<std::int64_t>(loss) : 0;
}

float uniform(Rng& rng) {  // −1 … 1
  return static_cast<float>(static_cast<std::int64_t>(rng.next() >> 40) - (1 << 23)) * 0x1p-23F;
}

}  // namespace

Task::Task(const Digest& seed, std::size_t parameters, std::size_t live)
    : live_(live), stride_(parameters / live), target_(parameters), first_(parameters) {
  Rng rng(seed);
  for (float& value : target_) value = uniform(rng);
  for (float& value : first_) value = uniform(rng);
}

std::vector<float> Task::train(std::span<const float> weights, const Digest& seed,
                               std::uint64_t lean, const fold::InnerRule& rule) const {
  std::vector<float> out(weights.begin(), weights.end());
  Rng rng(seed);
  for (std::int64_t step = 0; step < rule.steps * rule.batch; ++step) {
    // Half of the rows speak of a third of the parameters: members' data differ.
    const bool own = (step & 1) != 0;
    const Row row = draw_row(rng, *this, own ? lean : 0, own ? live_ / 3 : live_);
    const float push = kRate * residual_of(row, out, target_);
    for (std::size_t i = 0; i < kPicked; ++i) out[row.place[i]] -= push * row.sign[i];
  }
  return out;
}

Task::Part Task::domain(std::size_t number) const {
  const std::uint64_t width = live_ / 3;
  return {number * width, width};
}

std::vector<std::int64_t> Task::evaluate(std::span<const float> weights, const Digest& seed,
                                         std::int64_t rows) const {
  return evaluate(weights, seed, rows, {0, live_});
}

std::vector<std::int64_t> Task::evaluate(std::span<const float> weights, const Digest& seed,
                                         std::int64_t rows, const Part& part) const {
  std::vector<std::int64_t> nanos;
  nanos.reserve(static_cast<std::size_t>(rows));
  Rng rng(seed);
  for (std::int64_t i = 0; i < rows; ++i) {
    nanos.push_back(loss_of(draw_row(rng, *this, part.from, part.width), weights, target_));
  }
  return nanos;
}

std::vector<std::int64_t> Task::evaluate_own(std::span<const float> weights, const Digest& seed,
                                             std::uint64_t lean, const fold::InnerRule& rule,
                                             const Digest& draw) const {
  constexpr std::size_t kRows = 8;
  const auto row_of = [&](Rng& rng, std::uint64_t number) {
    const bool own = (number & 1) != 0;
    return draw_row(rng, *this, own ? lean : 0, own ? live_ / 3 : live_);
  };
  Rng used(seed), choice(draw);
  std::vector<std::int64_t> trained, nanos;
  for (std::int64_t i = 0; i < rule.steps * rule.batch; ++i) {
    trained.push_back(loss_of(row_of(used, static_cast<std::uint64_t>(i)), weights, target_));
  }
  for (std::size_t i = 0; i < kRows; ++i) nanos.push_back(trained[choice.below(trained.size())]);
  for (std::size_t i = 0; i < kRows; ++i) {
    nanos.push_back(loss_of(row_of(choice, i), weights, target_));
  }
  return nanos;
}

}  // namespace harambee::sim

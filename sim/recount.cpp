#include "sim/recount.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "sim/recount_rules.h"

namespace harambee::sim {
namespace {

long double length(const std::vector<float>& values) {
  long double sum = 0;
  for (const float value : values) sum += static_cast<long double>(value) * value;
  return std::sqrt(sum);
}

long double length(const Dense& one) {
  return std::ldexp(std::sqrt(static_cast<long double>(one.square)), one.exponent);
}

float float_of(const Decimal& number) {
  return static_cast<float>(static_cast<double>(number.nanos) / 1e9);
}

// What the blobs of a round say. Not empty: what is wrong with them.
std::string read(const Recount::Round& round, std::size_t parameters, Scene& scene) {
  for (const Recount::Work& work : round.accepted) {
    const auto delta =
        exact::Delta::parse(work.blob, parameters, round.up, {round.base, work.author});
    if (!delta) return "an accepted contribution is malformed: " + delta.error().message;
    scene.works.push_back(dense_of(*delta));
    scene.group.push_back(work.group);
    scene.caps.push_back(work.cap);
  }
  const fold::JudgeRule& judge = round.recipe.judge;
  const bool begins = judge.aggregate == fold::AggregateRule::centered;
  if ((begins || judge.step_max.nanos > 0) && round.last_update) {
    const auto delta =
        exact::Delta::parse(*round.last_update, parameters, round.down, round.last_base);
    if (!delta) return "the update before is malformed: " + delta.error().message;
    scene.last = dense_of(*delta);
  }
  // A thin round: where most of the well-formed were refused, the rest does not step for them.
  scene.half_of_possible = 0.5 * std::ldexp(static_cast<double>(round.possible), -30);
  scene.sample = sampled_chunks(parameters, judge.sample, round.seed);
  scene.prepare();
  return "";
}

}  // namespace

std::vector<float> Recount::aggregate(const Scene& scene, const fold::JudgeRule& judge) {
  Factors factors = factors_of(scene, judge);
  int top = top_of(factors.previous);
  for (const Number& one : factors.of) top = std::max(top, top_of(one));
  const bool nothing = top == std::numeric_limits<int>::min();
  const int k = nothing ? 0 : top - 29;
  std::vector<std::int64_t> factor;
  for (const Number& one : factors.of) factor.push_back(integer_of(one, k));
  const std::int64_t previous = integer_of(factors.previous, k);
  shortened = false;
  if (scene.last && judge.step_max.nanos > 0) {
    const double bound = bound_of(scene, factor, previous, k, judge.step_max);
    shortened = bound > factors.divisor;
    factors.divisor = std::max(factors.divisor, bound);
  }
  const double unit = std::ldexp(1.0, k) / factors.divisor;
  std::vector<float> out;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    std::int64_t sum = scene.last ? previous * scene.last->values[j] : 0;
    for (std::size_t i = 0; i < factor.size(); ++i) sum += factor[i] * scene.works[i].values[j];
    out.push_back(static_cast<float>(static_cast<double>(sum) * unit));
  }
  return out;
}

// What is sent of the residual is what the step takes from it. Which values of a chunk are sent is
// the encoder's; that they are its largest is checked.
std::string Recount::take_step(const Dense& step, const std::vector<float>& aggregate,
                               const Round& round) {
  const float beta = float_of(round.recipe.down.feedback), alpha = float_of(round.recipe.outer_lr);
  float least_sent = std::numeric_limits<float>::infinity(), most_kept = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (j % exact::kChunk == 0) {
      least_sent = std::numeric_limits<float>::infinity();
      most_kept = 0;
    }
    const float kept = beta * residual[j];
    residual[j] = kept + aggregate[j];
    const float size = std::fabs(residual[j]);
    if (step.values[j] == 0) {
      most_kept = std::max(most_kept, size);
    } else {
      least_sent = std::min(least_sent, size);
      const float value = std::ldexp(static_cast<float>(step.values[j]), step.exponent);
      if ((value < 0) != (residual[j] < 0)) return "the update goes against what was gathered";
      residual[j] -= value;
      const float moved = alpha * value;
      weights[j] -= moved;
    }
    if (round.down.sparse() && least_sent < most_kept) {
      return "the update leaves out a larger value than it sends";
    }
  }
  return "";
}

std::string Recount::round(const Round& round) {
  Scene scene;
  if (std::string wrong = read(round, weights.size(), scene); !wrong.empty()) return wrong;
  const auto sent = exact::Delta::parse(round.update, weights.size(), round.down, round.base);
  if (!sent) return "the update is malformed: " + sent.error().message;
  const std::vector<float> mean = aggregate(scene, round.recipe.judge);
  if (std::string wrong = take_step(dense_of(*sent), mean, round); !wrong.empty()) return wrong;
  const Decimal& step_max = round.recipe.judge.step_max;
  const bool whole = std::ranges::find(scene.sample, false) == scene.sample.end();
  if (scene.last && scene.last->square != 0 && step_max.nanos > 0 && whole) {
    const long double most = length(*scene.last) * static_cast<long double>(step_max.nanos) / 1e9L;
    if (length(mean) > most * 1.000001L) return "the step is longer than the bound";
  }
  return "";
}

}  // namespace harambee::sim

#include "exact/aggregate.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/mutant.h"
#include "exact/container.h"
#include "exact/kernels.h"
#include "exact/math.h"
#include "exact/real.h"
#include "exact/rice.h"

namespace harambee::exact {
namespace {

constexpr std::int64_t kValueMax = 127 * 65'535;
constexpr std::int64_t kWeightMax = std::int64_t{1} << 30;
static_assert(kValueMax * kWeightMax <= std::numeric_limits<std::int64_t>::max() /
                                            static_cast<std::int64_t>(kContributionsMax + 1),
              "a sum over all contributions and the previous update fits int64");

}  // namespace

SquaredNorm median(std::span<const SquaredNorm> norms) {
  HARAMBEE_CHECK(!norms.empty());
  std::vector<SquaredNorm> sorted(norms.begin(), norms.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

double clip(const SquaredNorm& norm, const SquaredNorm& median) {
  if (norm <= median) return 1.0;
  if (median.integer == 0) return 0.0;
  const Real factor = ratio(median, norm);
  return std::min(1.0, static_cast<double>(factor.mantissa) * power_of_two(factor.exponent));
}

Weights to_weights(std::span<const Real> factors, const Real& previous, double divisor) {
  Weights out;
  out.weight.assign(factors.size(), 0);
  out.divisor = divisor;
  int top = std::numeric_limits<int>::min();
  for (const Real& factor : factors) {
    if (factor.mantissa != 0) top = std::max(top, factor.top());
  }
  if (previous.mantissa != 0) top = std::max(top, previous.top());
  if (top == std::numeric_limits<int>::min()) return out;  // everything counts nothing
  out.exponent = top - 29;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    out.weight[i] = to_integer(factors[i], out.exponent);
  }
  out.previous = to_integer(previous, out.exponent);
  return out;
}

Weights clip_weights(std::span<const SquaredNorm> norms) {
  const SquaredNorm middle = median(norms);
  std::vector<Real> factors(norms.size());
  for (std::size_t i = 0; i < norms.size(); ++i) {
    if (norms[i].integer == 0) continue;
    factors[i] = clip_real(norms[i], middle);
    factors[i].exponent += norms[i].exponent;
  }
  return to_weights(factors, Real{}, static_cast<double>(norms.size()));
}

Result<Aggregate> Aggregate::make(std::span<const Delta> deltas) {
  std::vector<SquaredNorm> norms;
  norms.reserve(deltas.size());
  for (const Delta& delta : deltas) norms.push_back(delta.squared_norm());
  return make(deltas, norms.empty() ? Weights{} : clip_weights(norms), nullptr);
}

Result<Aggregate> Aggregate::make(std::span<const Delta> deltas, Weights weights,
                                  const Delta* previous) {
  HARAMBEE_CHECK(float_mode_is_exact());
  if (deltas.empty()) return invalid("aggregate: no contributions");
  if (deltas.size() > kContributionsMax) {
    return fail(ErrorCode::limit, "aggregate: more than 1024 contributions");
  }
  HARAMBEE_CHECK(weights.weight.size() == deltas.size() && weights.divisor > 0);
  HARAMBEE_CHECK(weights.previous == 0 || previous != nullptr);
  Aggregate out;
  out.parameters_ = deltas[0].parameters();
  out.chunks_ = deltas[0].chunks();
  std::vector<const Delta*> read;
  std::vector<std::int64_t> factors;
  read.reserve(deltas.size() + 1);
  factors.reserve(deltas.size() + 1);
  const auto add = [&](const Delta& delta, std::uint32_t weight) {
    if (weight == 0) return;
    if (HARAMBEE_MUTANT("drops-last") && &delta == &deltas.back()) return;
    read.push_back(&delta);
    factors.push_back(weight);
  };
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    if (deltas[i].parameters() != out.parameters_) {
      return invalid("aggregate: contributions of different length");
    }
    add(deltas[i], weights.weight[i]);
  }
  if (weights.previous != 0) {
    if (previous->parameters() != out.parameters_) {
      return invalid("aggregate: the previous update has another length");
    }
    add(*previous, weights.previous);
  }
  out.scale_ = power_of_two(weights.exponent) / weights.divisor;
  // A sum of one or more times this is not rounded to zero, so never to −0.
  constexpr double kLeastScale = 0x1p-149;
  out.reader_ = SumReader(read, factors);
  out.few_ = out.reader_.most_values() <= kFewMost && out.scale_ >= kLeastScale;
  out.sums_ = std::make_unique<Sums>();
  return out;
}

// out ← u, or with β: out ← β·out + u.
std::uint32_t Aggregate::add(std::span<float> out, const float* beta) {
  HARAMBEE_CHECK(!done());
  const std::uint32_t length = container::chunk_length(parameters_, chunk_++);
  HARAMBEE_CHECK(out.size() >= length);
  std::int64_t* const sums = sums_->of.data();
  rice::Onto onto{.out = out.first(length)};
  if (!few_) {
    reader_.add_next(length, {sums, nullptr}, onto);
    if (beta != nullptr) {
      kernels::add_sums(sums, scale_, out.data(), *beta, length);
    } else {
      kernels::sums_to_floats(sums, scale_, out.data(), length);
    }
    return length;
  }
  // β·out + u in two steps: first as if u were zero, then u where it is not, a place's second value
  // finding its sum zero again. The same bits: β·out + 0 is never −0, and no u is (see make()), so
  // zeros that are added change nothing.
  onto.what = beta != nullptr ? rice::Onto::What::scale : rice::Onto::What::clear;
  onto.beta = beta != nullptr ? *beta : 0;
  std::uint16_t* const places = sums_->places.data();
  const std::size_t found = reader_.add_next(length, {sums, places}, onto);
  for (std::size_t i = 0; i < found; ++i) {
    const std::uint16_t place = places[i];
    out[place] += static_cast<float>(static_cast<double>(sums[place]) * scale_);
    sums[place] = 0;
  }
  return length;
}

std::uint32_t Aggregate::next(std::span<float> out) { return add(out, nullptr); }

std::uint32_t Aggregate::add_next(std::span<float> out, float beta) { return add(out, &beta); }

namespace {

Status drain(Result<Aggregate> made, std::span<float> out) {
  if (!made) return made.error();
  HARAMBEE_CHECK(out.size() == made->parameters());
  while (!made->done()) out = out.subspan(made->next(out));
  return ok();
}

}  // namespace

Status aggregate(std::span<const Delta> deltas, std::span<float> out) {
  return drain(Aggregate::make(deltas), out);
}

Status aggregate(std::span<const Delta> deltas, const Weights& weights, const Delta* previous,
                 std::span<float> out) {
  return drain(Aggregate::make(deltas, weights, previous), out);
}

}  // namespace harambee::exact

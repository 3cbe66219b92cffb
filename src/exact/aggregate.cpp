#include "exact/aggregate.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "exact/container.h"
#include "exact/kernels.h"
#include "exact/math.h"

namespace harambee::exact {
namespace {

constexpr std::int64_t kValueMax = 127 * 65'535;
constexpr std::int64_t kWeightMax = std::int64_t{1} << 30;
static_assert(kValueMax * kWeightMax <= std::numeric_limits<std::int64_t>::max() /
                                            static_cast<std::int64_t>(kContributionsMax),
              "a sum over all contributions fits int64");

int bit_width(uint128 n) {
  const auto high = static_cast<std::uint64_t>(n >> 64);
  return high ? 64 + std::bit_width(high) : std::bit_width(static_cast<std::uint64_t>(n));
}

// A positive number mantissa × 2^exponent.
struct Real {
  std::uint64_t mantissa = 0;
  int exponent = 0;
  // ⌊log2⌋
  [[nodiscard]] int top() const { return std::bit_width(mantissa) - 1 + exponent; }
};

// ‖x‖ with 63 bits, rounded down; the norm is not zero.
Real root(const SquaredNorm& norm) {
  const int shift = (126 - bit_width(norm.integer)) / 2;
  return {isqrt(norm.integer << (2 * shift)), norm.exponent - shift};
}

// ‖median‖ / ‖x‖, rounded down to 2^-61 of about one; neither is zero.
Real ratio(const SquaredNorm& norm, const SquaredNorm& median) {
  const Real above = root(median), below = root(norm);
  const uint128 quotient = (static_cast<uint128>(above.mantissa) << 61) / below.mantissa;
  return {static_cast<std::uint64_t>(quotient), above.exponent - below.exponent - 61};
}

constexpr Real kOne{std::uint64_t{1} << 61, -61};

Real clip_real(const SquaredNorm& norm, const SquaredNorm& median) {
  return norm <= median ? kOne : ratio(norm, median);
}

// mantissa × 2^(exponent − unit), to the nearest integer, halves up; at most 30 bits remain.
std::uint32_t to_integer(const Real& number, int unit) {
  const int shift = unit - number.exponent;
  HARAMBEE_CHECK(shift >= 1);
  if (shift > 63) return 0;
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  return static_cast<std::uint32_t>((number.mantissa + half) >> shift);
}

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
  const Real factor = ratio(norm, median);
  return std::min(1.0, static_cast<double>(factor.mantissa) * power_of_two(factor.exponent));
}

Weights clip_weights(std::span<const SquaredNorm> norms) {
  const SquaredNorm middle = median(norms);
  Weights out;
  out.weight.assign(norms.size(), 0);
  if (middle.integer == 0) return out;  // everything is clipped to nothing
  std::vector<Real> factors(norms.size());
  int top = std::numeric_limits<int>::min();
  for (std::size_t i = 0; i < norms.size(); ++i) {
    if (norms[i].integer == 0) continue;
    factors[i] = clip_real(norms[i], middle);
    factors[i].exponent += norms[i].exponent;
    top = std::max(top, factors[i].top());
  }
  out.exponent = top - 29;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    if (norms[i].integer != 0) out.weight[i] = to_integer(factors[i], out.exponent);
  }
  return out;
}

Result<Aggregate> Aggregate::make(std::span<const Delta> deltas) {
  HARAMBEE_CHECK(float_mode_is_exact());
  if (deltas.empty()) return invalid("aggregate: no contributions");
  if (deltas.size() > kContributionsMax) {
    return fail(ErrorCode::limit, "aggregate: more than 1024 contributions");
  }
  std::vector<SquaredNorm> norms;
  Aggregate out;
  out.parameters_ = deltas[0].parameters();
  out.chunks_ = deltas[0].chunks();
  for (const Delta& delta : deltas) {
    if (delta.parameters() != out.parameters_) {
      return invalid("aggregate: contributions of different length");
    }
    norms.push_back(delta.squared_norm());
    out.cursors_.emplace_back(delta);
  }
  out.weights_ = clip_weights(norms);
  out.sums_.resize(kChunk);
  out.decoded_.resize(1);
  return out;
}

std::uint32_t Aggregate::next(std::span<float> out) {
  HARAMBEE_CHECK(!done());
  const std::uint32_t length = container::chunk_length(parameters_, chunk_++);
  HARAMBEE_CHECK(out.size() >= length);
  Delta::Chunk& chunk = decoded_[0];
  for (std::size_t i = 0; i < cursors_.size(); ++i) {
    cursors_[i].next(chunk);
    const std::int64_t weight = weights_.weight[i];
    for (std::uint32_t j = 0; j < chunk.size; ++j) {
      sums_[chunk.place[j]] += weight * chunk.value[j];
    }
  }
  const double scale = power_of_two(weights_.exponent) / static_cast<double>(cursors_.size());
  kernels::sums_to_floats(sums_.data(), scale, out.data(), length);
  return length;
}

Status aggregate(std::span<const Delta> deltas, std::span<float> out) {
  Result<Aggregate> made = Aggregate::make(deltas);
  if (!made) return made.error();
  HARAMBEE_CHECK(out.size() == deltas[0].parameters());
  while (!made->done()) out = out.subspan(made->next(out));
  return ok();
}

}  // namespace harambee::exact

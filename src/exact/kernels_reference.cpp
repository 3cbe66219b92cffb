#include <algorithm>
#include <bit>

#include "exact/kernels.h"

namespace harambee::exact::kernels::reference {
namespace {

std::uint32_t magnitude(float x) { return std::bit_cast<std::uint32_t>(x) & kMagnitudeBits; }

// The nearest integer of |x| ≤ 2^22, ties to even: adding 1.5 × 2^23 leaves no bit for a fraction.
float nearest(float x) {
  constexpr float kShift = 12'582'912.0F;
  return (x + kShift) - kShift;
}

}  // namespace

void accumulate(float* e, float beta, const float* base, const float* trained, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float delta = base[i] - trained[i];
    e[i] = beta * e[i] + delta;
  }
}

std::uint32_t max_bits(const float* x, std::uint32_t n) {
  std::uint32_t most = 0;
  for (std::uint32_t i = 0; i < n; ++i) most = std::max(most, magnitude(x[i]));
  return most;
}

std::uint32_t at_least(const float* x, std::uint32_t n, std::uint32_t threshold,
                       std::uint32_t* place, std::uint32_t* largest) {
  std::uint32_t count = 0;
  *largest = max_bits(x, n);
  for (std::uint32_t i = 0; i < n; ++i) {
    if (magnitude(x[i]) >= threshold) place[count++] = i;
  }
  return count;
}

std::uint32_t count_at_least(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold) {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < n; ++i) count += bits[i] >= threshold;
  return count;
}

// Bisection has no branches that depend on the numbers, unlike a selection algorithm.
std::uint32_t threshold_of(const std::uint32_t* bits, std::uint32_t n, std::uint32_t keep,
                           std::uint32_t least, std::uint32_t most) {
  while (least < most) {
    const std::uint32_t middle = least + (most - least + 1) / 2;
    const std::uint32_t count = count_at_least(bits, n, middle);
    if (count == keep) return middle;
    if (count > keep) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return least;
}

double exact_sum_at_least(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold) {
  double sum = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (bits[i] >= threshold) sum += static_cast<double>(std::bit_cast<float>(bits[i]));
  }
  return sum;
}

float magnitude_sum(const float* x, std::uint32_t n) {
  float lane[16] = {};
  for (std::uint32_t i = 0; i < n; ++i) lane[i % 16] += std::bit_cast<float>(magnitude(x[i]));
  for (std::uint32_t half = 8; half >= 1; half /= 2) {
    for (std::uint32_t i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

void sums_to_floats(std::int64_t* sum, double scale, float* out, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) {
    out[i] = static_cast<float>(static_cast<double>(sum[i]) * scale);
    sum[i] = 0;
  }
}

void add_sums(std::int64_t* sum, double scale, float* r, float beta, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto u = static_cast<float>(static_cast<double>(sum[i]) * scale);
    r[i] = beta * r[i] + u;
    sum[i] = 0;
  }
}

void quantise(const float* x, float scale, float limit, std::int32_t* code, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) {
    const float clamped = std::clamp(x[i] / scale, -limit, limit);
    code[i] = static_cast<std::int32_t>(nearest(clamped));
  }
}

}  // namespace harambee::exact::kernels::reference

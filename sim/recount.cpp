#include "sim/recount.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace harambee::sim {
namespace {

__extension__ using Wide = unsigned __int128;

int bits(Wide n) {
  int count = 0;
  for (; n != 0; n >>= 1) ++count;
  return count;
}

// The largest integer whose square is not above n, by halving.
std::uint64_t square_root(Wide n) {
  std::uint64_t low = 0, high = std::numeric_limits<std::uint64_t>::max() >> 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2 + 1;
    if (static_cast<Wide>(middle) * middle <= n) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

struct Dense {
  std::vector<std::int64_t> values;  // × 2^exponent
  int exponent = 0;
  Wide square = 0;
};

Dense dense_of(const exact::Delta& delta) {
  Dense out;
  out.values.assign(delta.parameters(), 0);
  out.exponent = delta.exponent();
  exact::Delta::Cursor cursor(delta);
  exact::Delta::Chunk chunk;
  for (std::size_t at = 0; !cursor.done(); at += exact::kChunk) {
    cursor.next(chunk);
    for (std::uint32_t i = 0; i < chunk.size; ++i) out.values[at + chunk.place[i]] = chunk.value[i];
  }
  for (const std::int64_t value : out.values) {
    out.square += static_cast<Wide>(static_cast<unsigned long long>(value * value));
  }
  return out;
}

// The length as a number: mantissa (63 bits) × 2^exponent.
struct Length {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};
Length length_of(const Dense& one) {
  const int t = (126 - bits(one.square)) / 2;
  return {square_root(one.square << (2 * t)), one.exponent - t};
}

bool shorter(const Dense& one, const Dense& other) {
  // Scales of all kinds fit a long double's 64 bits only nearly: compare as integers.
  int shift = one.exponent - other.exponent;
  Wide a = one.square, b = other.square;
  if (a == 0 || b == 0) return a == 0 && b != 0;
  for (; shift > 0 && bits(a) <= 125; --shift) a <<= 2;
  for (; shift < 0 && bits(b) <= 125; ++shift) b <<= 2;
  if (shift != 0) return shift < 0;
  return a < b;
}

// spec/outer-step.md §1.
std::vector<std::int64_t> weights_of(const std::vector<Dense>& works, int& k) {
  std::vector<Dense> sorted = works;
  std::stable_sort(sorted.begin(), sorted.end(), shorter);
  const Dense& middle = sorted[(works.size() - 1) / 2];
  std::vector<std::int64_t> out(works.size(), 0);
  k = 0;
  if (middle.square == 0) return out;
  std::vector<std::uint64_t> mantissa(works.size(), 0);
  std::vector<int> exponent(works.size(), 0);
  int top = std::numeric_limits<int>::min();
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (works[i].square == 0) continue;
    mantissa[i] = std::uint64_t{1} << 61;
    exponent[i] = -61;
    if (shorter(middle, works[i])) {
      const Length above = length_of(middle), below = length_of(works[i]);
      mantissa[i] =
          static_cast<std::uint64_t>((static_cast<Wide>(above.mantissa) << 61) / below.mantissa);
      exponent[i] = above.exponent - below.exponent - 61;
    }
    exponent[i] += works[i].exponent;
    top = std::max(top, bits(mantissa[i]) - 1 + exponent[i]);
  }
  k = top - 29;
  for (std::size_t i = 0; i < works.size(); ++i) {
    const int down = k - exponent[i];
    if (works[i].square == 0 || down > 63) continue;
    out[i] = static_cast<std::int64_t>((mantissa[i] + (std::uint64_t{1} << (down - 1))) >> down);
  }
  return out;
}

}  // namespace

std::string Recount::round(const fold::Recipe& recipe, const exact::Codec& up,
                           const exact::Codec& down, const Digest& base,
                           const std::vector<Work>& accepted, std::size_t well_formed,
                           View update) {
  std::vector<Dense> works;
  for (const Work& work : accepted) {
    const auto delta = exact::Delta::parse(work.blob, weights.size(), up, {base, work.author});
    if (!delta) return "an accepted contribution is malformed: " + delta.error().message;
    works.push_back(dense_of(*delta));
  }
  const auto sent = exact::Delta::parse(update, weights.size(), down, base);
  if (!sent) return "the update is malformed: " + sent.error().message;
  const Dense step = dense_of(*sent);
  int k = 0;
  const std::vector<std::int64_t> factor = weights_of(works, k);
  // A thin round: where most of the well-formed were refused, the rest does not step for them.
  const double people =
      std::max(static_cast<double>(works.size()), 0.5 * static_cast<double>(well_formed));
  const double unit = std::ldexp(1.0, k) / people;
  const auto beta = static_cast<float>(static_cast<double>(recipe.down.feedback.nanos) / 1e9);
  const auto alpha = static_cast<float>(static_cast<double>(recipe.outer_lr.nanos) / 1e9);
  float least_sent = std::numeric_limits<float>::infinity(), most_kept = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < works.size(); ++i) sum += factor[i] * works[i].values[j];
    const auto mean = static_cast<float>(static_cast<double>(sum) * unit);
    const float kept = beta * residual[j];
    residual[j] = kept + mean;
    const float size = std::fabs(residual[j]);
    if (step.values[j] == 0) {
      most_kept = std::max(most_kept, size);
      continue;
    }
    least_sent = std::min(least_sent, size);
    const float value = std::ldexp(static_cast<float>(step.values[j]), step.exponent);
    if ((value < 0) != (residual[j] < 0)) return "the update goes against what was gathered";
    residual[j] -= value;
    const float moved = alpha * value;
    weights[j] -= moved;
  }
  if (down.sparse() && weights.size() <= exact::kChunk && least_sent < most_kept) {
    return "the update leaves out a larger value than it sends";
  }
  return "";
}

}  // namespace harambee::sim

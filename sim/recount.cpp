#include "sim/recount.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
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

// A number above zero: mantissa × 2^exponent.
struct Number {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};

Number cut(Wide mantissa, int exponent) {
  for (; bits(mantissa) > 62; mantissa >>= 1) ++exponent;
  return {static_cast<std::uint64_t>(mantissa), exponent};
}
Number times(const Number& a, const Number& b) {
  return cut(static_cast<Wide>(a.mantissa) * b.mantissa, a.exponent + b.exponent);
}
Number number_of(double value) {
  if (value <= 0) return {};
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return {static_cast<std::uint64_t>(std::ldexp(fraction, 53)), exponent - 53};
}
double double_of(const Number& number) {
  return std::ldexp(static_cast<double>(number.mantissa), number.exponent);
}

// What the accepted contributions count: a group has the vote of its member of highest cap.
std::vector<std::uint64_t> votes_of(const std::vector<Recount::Work>& works) {
  std::vector<std::uint64_t> out;
  for (const Recount::Work& work : works) {
    std::uint64_t sum = 0, largest = 0;
    for (const Recount::Work& other : works) {
      if (other.group != work.group) continue;
      sum += other.cap;
      largest = std::max(largest, other.cap);
    }
    const std::uint64_t vote = work.cap == 0 ? 0 : work.cap * largest / sum;
    out.push_back(work.cap == 0 ? 0 : std::max<std::uint64_t>(1, vote));
  }
  return out;
}

// Of numbers with votes, the first in ascending order with half of all votes up to it.
template <typename T, typename Less>
T median_by_votes(const std::vector<T>& values, const std::vector<double>& votes,
                  const Less& less) {
  std::vector<std::size_t> order;
  double half = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    order.push_back(i);
    half += 0.5 * votes[i];
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return less(values[a], values[b]); });
  double below = 0;
  T middle{};
  for (const std::size_t i : order) {
    if (votes[i] <= 0) continue;
    middle = values[i];
    below += votes[i];
    if (below >= half) break;
  }
  return middle;
}

Number clip_of(const Dense& one, const Dense& middle) {
  if (!shorter(middle, one)) return {std::uint64_t{1} << 61, -61};
  if (middle.square == 0) return {};
  const Length above = length_of(middle), below = length_of(one);
  return {static_cast<std::uint64_t>((static_cast<Wide>(above.mantissa) << 61) / below.mantissa),
          above.exponent - below.exponent - 61};
}

__extension__ using Signed = __int128;

Signed product(const Dense& a, const Dense& b) {
  Signed sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    sum += static_cast<Signed>(a.values[i] * b.values[i]);
  }
  return sum;
}

double inner(const Dense& a, const Dense& b) {
  return std::ldexp(static_cast<double>(product(a, b)), a.exponent + b.exponent);
}

struct Factors {
  std::vector<Number> of;  // of each contribution, its own exponent included
  Number previous;
  double divisor = 1;
};

Factors clip_factors(const std::vector<Dense>& works, const std::vector<std::uint64_t>& votes,
                     const Dense& middle, bool clipped, double half_of_possible) {
  Factors out;
  double all = 0;
  for (std::size_t i = 0; i < works.size(); ++i) {
    all += static_cast<double>(votes[i]);
    const Number clip = clipped ? clip_of(works[i], middle) : Number{std::uint64_t{1} << 61, -61};
    Number factor = times(clip, {votes[i], -30});
    if (works[i].square == 0) factor = {};
    factor.exponent += works[i].exponent;
    out.of.push_back(factor);
  }
  out.divisor = std::max(all == 0 ? 1.0 : std::ldexp(all, -30), half_of_possible);
  return out;
}

// spec/robust.md §5, "Points" and "centered".
Factors centered_factors(const std::vector<Dense>& works,
                         const std::vector<Recount::Work>& accepted,
                         const std::vector<std::uint64_t>& votes, const Dense& middle,
                         const Dense* last, std::int64_t iterations, double half_of_possible) {
  const std::size_t count = works.size();
  std::vector<std::size_t> point(count);
  std::vector<double> weight;
  for (std::size_t i = 0; i < count; ++i) {
    point[i] = accepted[i].group == i ? weight.size() : point[accepted[i].group];
    if (accepted[i].group == i) weight.push_back(0);
    weight[point[i]] += static_cast<double>(votes[i]);
  }
  const std::size_t points = weight.size(), all = points + (last ? 1 : 0);
  std::vector<double> share(count), factor(count + 1, 1.0);
  std::vector<const Dense*> vectors;
  for (std::size_t i = 0; i < count; ++i) {
    const double group = weight[point[i]];
    share[i] = group > 0 ? static_cast<double>(votes[i]) / group : 0;
    factor[i] = share[i] * double_of(clip_of(works[i], middle));
    vectors.push_back(&works[i]);
  }
  if (last) {
    vectors.push_back(last);
    point.push_back(points);
  }
  std::vector<std::vector<double>> product(all, std::vector<double>(all, 0));
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    for (std::size_t j = 0; j < vectors.size(); ++j) {
      product[point[i]][point[j]] += factor[i] * factor[j] * inner(*vectors[i], *vectors[j]);
    }
  }
  double total = 0;
  for (const double one : weight) total += one;
  std::vector<double> a(all, 0);
  if (last && total > 0) a.back() = 1;
  for (std::int64_t step = 0; step < iterations && total > 0; ++step) {
    std::vector<double> toward(all, 0), distance;
    double square = 0;
    for (std::size_t i = 0; i < all; ++i) {
      for (std::size_t j = 0; j < all; ++j) toward[i] += product[i][j] * a[j];
      square += a[i] * toward[i];
    }
    for (std::size_t i = 0; i < points; ++i) {
      distance.push_back(std::sqrt(std::max(0.0, product[i][i] - 2 * toward[i] + square)));
    }
    const double radius = median_by_votes(distance, weight, std::less<double>());
    std::vector<double> pull;
    double pulled = 0;
    for (std::size_t i = 0; i < points; ++i) {
      const double clip = distance[i] <= radius ? 1.0 : radius / distance[i];
      pull.push_back(weight[i] / total * clip);
      pulled += pull.back();
    }
    for (double& one : a) one *= std::max(0.0, 1 - pulled);
    for (std::size_t i = 0; i < points; ++i) a[i] += pull[i];
  }
  Factors out;
  for (std::size_t i = 0; i < count; ++i) {
    Number one = times(number_of(a[point[i]] * share[i]), clip_of(works[i], middle));
    if (works[i].square == 0) one = {};
    one.exponent += works[i].exponent;
    out.of.push_back(one);
  }
  if (last && last->square != 0) {
    out.previous = number_of(a.back());
    out.previous.exponent += last->exponent;
  }
  const double counted = std::ldexp(total, -30);
  out.divisor = std::max(1.0, counted > 0 ? half_of_possible / counted : 1.0);
  return out;
}

// spec/robust.md §5, "Step bound": how many times the step is longer than allowed, in units of what
// it is divided by. Each integer is rounded to a double first.
double bound_of(const std::vector<Dense>& works, const Dense& last,
                const std::vector<std::int64_t>& factor, std::int64_t previous, int k,
                const Decimal& most) {
  std::vector<const Dense*> rows;
  std::vector<double> a;
  for (std::size_t i = 0; i < works.size(); ++i) {
    rows.push_back(&works[i]);
    a.push_back(static_cast<double>(factor[i]));
  }
  rows.push_back(&last);
  a.push_back(static_cast<double>(previous));
  if (last.square == 0) return 0;
  double q = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows.size(); ++j) {
      q += (a[i] * a[j]) * static_cast<double>(product(*rows[i], *rows[j]));
    }
  }
  const double times =
      std::sqrt(std::max(0.0, q)) / std::sqrt(static_cast<double>(product(last, last)));
  return std::ldexp(times, k - last.exponent) / (static_cast<double>(most.nanos) / 1e9);
}

long double length(const std::vector<float>& values) {
  long double sum = 0;
  for (const float value : values) sum += static_cast<long double>(value) * value;
  return std::sqrt(sum);
}

int top_of(const Number& number) {
  return number.mantissa == 0 ? std::numeric_limits<int>::min()
                              : bits(number.mantissa) - 1 + number.exponent;
}

// The factor in units of 2^k, to the nearest.
std::int64_t integer_of(const Number& number, int k) {
  const int down = k - number.exponent;
  if (number.mantissa == 0 || down > 63) return 0;
  if (down <= 0) return static_cast<std::int64_t>(number.mantissa << -down);
  return static_cast<std::int64_t>((number.mantissa + (std::uint64_t{1} << (down - 1))) >> down);
}

}  // namespace

std::string Recount::round(const Round& round) {
  std::vector<Dense> works;
  for (const Work& work : round.accepted) {
    const auto delta =
        exact::Delta::parse(work.blob, weights.size(), round.up, {round.base, work.author});
    if (!delta) return "an accepted contribution is malformed: " + delta.error().message;
    works.push_back(dense_of(*delta));
  }
  const auto sent = exact::Delta::parse(round.update, weights.size(), round.down, round.base);
  if (!sent) return "the update is malformed: " + sent.error().message;
  const Dense step = dense_of(*sent);
  const bool centered = round.recipe.judge.aggregate == fold::AggregateRule::centered;
  const Decimal& step_max = round.recipe.judge.step_max;
  std::optional<Dense> last;
  if ((centered || step_max.nanos > 0) && round.last_update) {
    const auto delta =
        exact::Delta::parse(*round.last_update, weights.size(), round.down, round.last_base);
    if (!delta) return "the update before is malformed: " + delta.error().message;
    last = dense_of(*delta);
  }
  const std::vector<std::uint64_t> votes = votes_of(round.accepted);
  const Dense middle =
      median_by_votes(works, std::vector<double>(votes.begin(), votes.end()), shorter);
  // A thin round: where most of the well-formed were refused, the rest does not step for them.
  const double half = 0.5 * std::ldexp(static_cast<double>(round.possible), -30);
  Factors factors =
      centered ? centered_factors(works, round.accepted, votes, middle, last ? &*last : nullptr,
                                  round.recipe.judge.centered_iterations, half)
               : clip_factors(works, votes, middle,
                              round.recipe.judge.aggregate == fold::AggregateRule::clip, half);
  int top = top_of(factors.previous);
  for (const Number& one : factors.of) top = std::max(top, top_of(one));
  const bool nothing = top == std::numeric_limits<int>::min();
  const int k = nothing ? 0 : top - 29;
  std::vector<std::int64_t> factor;
  for (const Number& one : factors.of) factor.push_back(integer_of(one, k));
  const std::int64_t previous = integer_of(factors.previous, k);
  shortened = false;
  if (last && step_max.nanos > 0) {
    const double bound = bound_of(works, *last, factor, previous, k, step_max);
    shortened = bound > factors.divisor;
    factors.divisor = std::max(factors.divisor, bound);
  }
  const double unit = std::ldexp(1.0, k) / factors.divisor;
  const exact::Codec& down = round.down;
  const auto beta = static_cast<float>(static_cast<double>(round.recipe.down.feedback.nanos) / 1e9);
  const auto alpha = static_cast<float>(static_cast<double>(round.recipe.outer_lr.nanos) / 1e9);
  float least_sent = std::numeric_limits<float>::infinity(), most_kept = 0;
  std::vector<float> aggregate;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    std::int64_t sum = last ? previous * last->values[j] : 0;
    for (std::size_t i = 0; i < works.size(); ++i) sum += factor[i] * works[i].values[j];
    const auto mean = static_cast<float>(static_cast<double>(sum) * unit);
    aggregate.push_back(mean);
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
  if (last && last->square != 0 && step_max.nanos > 0) {
    const long double before =
        std::ldexp(std::sqrt(static_cast<long double>(last->square)), last->exponent);
    const long double most = before * static_cast<long double>(step_max.nanos) / 1e9L;
    if (length(aggregate) > most * 1.000001L) return "the step is longer than the bound";
  }
  if (down.sparse() && weights.size() <= exact::kChunk && least_sent < most_kept) {
    return "the update leaves out a larger value than it sends";
  }
  return "";
}

}  // namespace harambee::sim

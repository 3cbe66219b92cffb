#include "sim/recount_rules.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/rng.h"

namespace harambee::sim {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

constexpr std::size_t kLeastChunks = 256;
constexpr int kWeiszfeldSteps = 8;

double real_of(const Decimal& number) { return static_cast<double>(number.nanos) / 1e9; }

Signed product(const Dense& a, const Dense& b, const std::vector<bool>& sample) {
  Signed sum = 0;
  for (std::size_t chunk = 0; chunk < sample.size(); ++chunk) {
    if (!sample[chunk]) continue;
    const std::size_t end = std::min((chunk + 1) * exact::kChunk, a.values.size());
    for (std::size_t i = chunk * exact::kChunk; i < end; ++i) {
      sum += static_cast<Signed>(a.values[i] * b.values[i]);
    }
  }
  return sum;
}

// A group has the vote of its member of highest cap.
std::vector<std::uint64_t> votes_of(const Scene& scene) {
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < scene.works.size(); ++i) {
    std::uint64_t sum = 0, largest = 0;
    for (std::size_t j = 0; j < scene.works.size(); ++j) {
      if (scene.group[j] != scene.group[i]) continue;
      sum += scene.caps[j];
      largest = std::max(largest, scene.caps[j]);
    }
    const std::uint64_t cap = scene.caps[i];
    out.push_back(cap == 0 ? 0 : std::max<std::uint64_t>(1, cap * largest / sum));
  }
  return out;
}

Factors vote_factors(const Scene& scene, bool clipped) {
  Factors out;
  double all = 0;
  for (std::size_t i = 0; i < scene.works.size(); ++i) {
    const Dense& work = scene.works[i];
    all += static_cast<double>(scene.votes[i]);
    const Number clip = clipped ? clip_of(work, scene.middle) : Number{std::uint64_t{1} << 61, -61};
    Number factor = times(clip, {scene.votes[i], -30});
    if (work.square == 0) factor = {};
    factor.exponent += work.exponent;
    out.of.push_back(factor);
  }
  out.divisor = std::max(all == 0 ? 1.0 : std::ldexp(all, -30), scene.half_of_possible);
  return out;
}

// spec/robust.md §5, "Points": one for each group, and the previous update where a rule begins
// there.
struct Points {
  std::vector<std::size_t> of;  // each contribution's point
  Row share;                    // … and its share of it
  Row weight;                   // of each point; the previous update has none
  Rows product;
  double total = 0;
};

Points points_of(const Scene& scene, bool with_last) {
  Points out;
  const std::size_t count = scene.works.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t first = scene.group[i];
    out.of.push_back(first == i ? out.weight.size() : out.of[first]);
    if (first == i) out.weight.push_back(0);
    out.weight[out.of[i]] += static_cast<double>(scene.votes[i]);
  }
  Row factor;
  std::vector<std::size_t> point = out.of;
  for (std::size_t i = 0; i < count; ++i) {
    const double group = out.weight[point[i]];
    out.share.push_back(group > 0 ? static_cast<double>(scene.votes[i]) / group : 0);
    factor.push_back(out.share[i] * double_of(clip_of(scene.works[i], scene.middle)));
  }
  if (with_last) {
    point.push_back(out.weight.size());
    factor.push_back(1.0);
  }
  const std::size_t all = out.weight.size() + (with_last ? 1 : 0);
  out.product.assign(all, Row(all, 0));
  for (std::size_t i = 0; i < point.size(); ++i) {
    for (std::size_t j = 0; j < point.size(); ++j) {
      out.product[point[i]][point[j]] += factor[i] * factor[j] * scene.inner(i, j);
    }
  }
  for (const double one : out.weight) out.total += one;
  return out;
}

// From each of the first `count` points to Σ a·y.
Row distances(const Rows& product, const Row& a, std::size_t count) {
  Row toward(a.size(), 0), out;
  double square = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j) toward[i] += product[i][j] * a[j];
    square += a[i] * toward[i];
  }
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(std::sqrt(std::max(0.0, product[i][i] - 2 * toward[i] + square)));
  }
  return out;
}

Row centered(const Points& points, std::int64_t iterations) {
  const std::size_t count = points.weight.size();
  Row a(points.product.size(), 0);
  if (points.total <= 0) return a;
  if (a.size() > count) a.back() = 1;
  for (std::int64_t step = 0; step < iterations; ++step) {
    const Row distance = distances(points.product, a, count);
    const double radius = median_by_votes(distance, points.weight, std::less<double>());
    Row pull;
    double pulled = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double clip = distance[i] <= radius ? 1.0 : radius / distance[i];
      pull.push_back(points.weight[i] / points.total * clip);
      pulled += pull.back();
    }
    for (double& one : a) one *= std::max(0.0, 1 - pulled);
    for (std::size_t i = 0; i < count; ++i) a[i] += pull[i];
  }
  return a;
}

double squared(const Points& points, std::size_t i, std::size_t j) {
  const Rows& p = points.product;
  return std::max(0.0, p[i][i] - 2 * p[i][j] + p[j][j]);
}

// The point itself, then the nearest others, until they have enough of the weight.
std::vector<std::size_t> nearest(const Points& points, std::size_t i, double enough) {
  std::vector<std::size_t> order, out;
  for (std::size_t j = 0; j < points.weight.size(); ++j) order.push_back(j);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (a == i || b == i) return a == i && b != i;
    return squared(points, i, a) < squared(points, i, b);
  });
  double weight = 0;
  for (const std::size_t j : order) {
    if (points.weight[j] > 0 && weight < enough) {
      out.push_back(j);
      weight += points.weight[j];
    }
  }
  return out;
}

Row neighbours(const Points& points, double faulty) {
  const std::size_t count = points.weight.size();
  const double enough = (1 - faulty) * points.total;
  Rows mix(count, Row(count, 0)), mixed(count, Row(count, 0));
  double longest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<std::size_t> near = nearest(points, i, enough);
    double weight = 0;
    for (const std::size_t j : near) weight += points.weight[j];
    for (const std::size_t j : near) mix[i][j] = points.weight[j] / weight;
  }
  for (std::size_t i = 0; i < count; ++i) {
    Row half(count, 0);
    for (std::size_t j = 0; j < count; ++j) {
      for (std::size_t k = 0; k < count; ++k) half[k] += mix[i][j] * points.product[j][k];
    }
    for (std::size_t j = 0; j < count; ++j) {
      for (std::size_t k = 0; k < count; ++k) mixed[i][j] += half[k] * mix[j][k];
    }
    longest = std::max(longest, mixed[i][i]);
  }
  const double least = 1e-6 * std::sqrt(longest);
  Row at;
  for (const double weight : points.weight) at.push_back(weight / points.total);
  for (int step = 0; step < kWeiszfeldSteps && least > 0; ++step) {
    const Row distance = distances(mixed, at, count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      at[i] = points.weight[i] / std::max(least, distance[i]);
      sum += at[i];
    }
    for (double& one : at) one /= sum;
  }
  Row a(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) a[j] += at[i] * mix[i][j];
  }
  return a;
}

Row krum(const Points& points, double faulty) {
  const std::size_t count = points.weight.size();
  const double enough = (1 - faulty) * points.total;
  Row score(count, 0), a(count, 0);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < count; ++i) {
    order.push_back(i);
    for (const std::size_t j : nearest(points, i, enough)) {
      if (j != i) score[i] += points.weight[j] * squared(points, i, j);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t one, std::size_t other) { return score[one] < score[other]; });
  double weight = 0;
  for (const std::size_t i : order) {
    if (points.weight[i] <= 0 || weight >= enough) continue;
    a[i] = points.weight[i];
    weight += points.weight[i];
  }
  for (double& one : a) one /= weight;
  return a;
}

Factors point_factors(const Scene& scene, const fold::JudgeRule& judge) {
  const bool begins = judge.aggregate == fold::AggregateRule::centered && scene.last;
  const Points points = points_of(scene, begins);
  Row a(points.product.size(), 0);
  const double faulty = real_of(judge.faulty);
  if (judge.aggregate == fold::AggregateRule::centered) {
    a = centered(points, judge.centered_iterations);
  } else if (points.total > 0) {
    const bool mixed = judge.aggregate == fold::AggregateRule::neighbours;
    a = mixed ? neighbours(points, faulty) : krum(points, faulty);
  }
  Factors out;
  for (std::size_t i = 0; i < scene.works.size(); ++i) {
    const Dense& work = scene.works[i];
    Number one = times(number_of(a[points.of[i]] * points.share[i]), clip_of(work, scene.middle));
    if (work.square == 0) one = {};
    one.exponent += work.exponent;
    out.of.push_back(one);
  }
  if (begins && scene.last->square != 0) {
    out.previous = number_of(a.back());
    out.previous.exponent += scene.last->exponent;
  }
  const double counted = std::ldexp(points.total, -30);
  out.divisor = std::max(1.0, counted > 0 ? scene.half_of_possible / counted : 1.0);
  return out;
}

}  // namespace

std::vector<bool> sampled_chunks(std::size_t parameters, const Decimal& share, const Digest& seed) {
  const std::size_t chunks = (parameters + exact::kChunk - 1) / exact::kChunk;
  const auto nanos = static_cast<std::size_t>(share.nanos);
  const std::size_t part = (chunks * nanos + 999'999'999) / 1'000'000'000;
  std::size_t wanted = std::max(part, std::min(chunks, kLeastChunks));
  Rng draw(sha256({view("harambee chunks v1\n"), seed.view()}));
  std::vector<bool> out;
  for (std::size_t left = chunks; left > 0; --left) {
    out.push_back(wanted == left || draw.below(left) < wanted);
    if (out.back()) --wanted;
  }
  return out;
}

void Scene::prepare() {
  votes = votes_of(*this);
  middle = median_by_votes(works, Row(votes.begin(), votes.end()), shorter);
  std::vector<const Dense*> rows;
  for (const Dense& work : works) rows.push_back(&work);
  if (last) rows.push_back(&*last);
  products.assign(rows.size(), std::vector<Signed>(rows.size(), 0));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = i; j < rows.size(); ++j) {
      products[i][j] = products[j][i] = product(*rows[i], *rows[j], sample);
    }
  }
}

double Scene::inner(std::size_t i, std::size_t j) const {
  const auto exponent = [this](std::size_t k) {
    return k < works.size() ? works[k].exponent : last->exponent;
  };
  return std::ldexp(static_cast<double>(products[i][j]), exponent(i) + exponent(j));
}

Factors factors_of(const Scene& scene, const fold::JudgeRule& judge) {
  switch (judge.aggregate) {
    case fold::AggregateRule::mean:
      return vote_factors(scene, false);
    case fold::AggregateRule::clip:
      return vote_factors(scene, true);
    default:
      return point_factors(scene, judge);
  }
}

// Each integer is rounded to a double first.
double bound_of(const Scene& scene, const std::vector<std::int64_t>& factor, std::int64_t previous,
                int k, const Decimal& most) {
  const std::size_t last = scene.works.size();
  const Signed length = scene.products[last][last];
  if (length == 0) return 0;
  Row a(factor.begin(), factor.end());
  a.push_back(static_cast<double>(previous));
  double q = 0;
  for (std::size_t i = 0; i <= last; ++i) {
    for (std::size_t j = 0; j <= last; ++j) {
      q += (a[i] * a[j]) * static_cast<double>(scene.products[i][j]);
    }
  }
  const double times = std::sqrt(std::max(0.0, q)) / std::sqrt(static_cast<double>(length));
  return std::ldexp(times, k - scene.last->exponent) / real_of(most);
}

}  // namespace harambee::sim

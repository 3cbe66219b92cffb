#include "exact/points.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/mutant.h"

namespace harambee::exact {
namespace {

constexpr int kWeiszfeldSteps = 8;

// Indices of `key` in ascending order, equal keys by index.
std::vector<std::size_t> order_by(const std::vector<double>& key) {
  std::vector<std::size_t> order(key.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return key[a] < key[b]; });
  return order;
}

// The key at which the weights, from the smallest key up, first reach half of all.
double weighted_median(const Points& points, const std::vector<double>& key) {
  const double half = 0.5 * points.total();
  double below = 0;
  double at = 0;
  for (const std::size_t i : order_by(key)) {
    if (points.weight(i) <= 0) continue;
    at = key[i];
    below += points.weight(i);
    if (below >= half) break;
  }
  return at;
}

double squared_distance(const Points& points, std::size_t i, std::size_t j) {
  return std::max(0.0, points.inner(i, i) - 2 * points.inner(i, j) + points.inner(j, j));
}

// From the nearest on (the point itself first): as many as have `wanted` of the weight.
std::vector<std::size_t> nearest(const Points& points, std::size_t i, double wanted) {
  std::vector<double> distance(points.count());
  for (std::size_t j = 0; j < distance.size(); ++j) distance[j] = squared_distance(points, i, j);
  distance[i] = -1;
  std::vector<std::size_t> chosen;
  double weight = 0;
  for (const std::size_t j : order_by(distance)) {
    if (points.weight(j) <= 0) continue;
    if (weight >= wanted) break;
    chosen.push_back(j);
    weight += points.weight(j);
  }
  return chosen;
}

}  // namespace

double Points::total() const { return std::accumulate(weight_.begin(), weight_.end(), 0.0); }

std::vector<double> Points::distances(const std::vector<double>& a) const {
  std::vector<double> toward(size_);  // ⟨x_i, v⟩
  double square = 0;                  // ‖v‖²
  for (std::size_t i = 0; i < size_; ++i) {
    for (std::size_t j = 0; j < size_; ++j) toward[i] += inner(i, j) * a[j];
    square += a[i] * toward[i];
  }
  std::vector<double> out(count());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = std::sqrt(std::max(0.0, inner(i, i) - 2 * toward[i] + square));
  }
  return out;
}

std::vector<double> centered_clipping(const Points& points, int iterations) {
  std::vector<double> a(points.size());
  const double total = points.total();
  if (total <= 0) return a;
  if (points.size() > points.count()) a.back() = 1;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    const std::vector<double> distance = points.distances(a);
    const double radius = weighted_median(points, distance);
    std::vector<double> pull(points.count());
    double all = 0;
    for (std::size_t i = 0; i < pull.size(); ++i) {
      const double clip = distance[i] <= radius ? 1 : radius / distance[i];
      pull[i] = points.weight(i) / total * clip;
      all += pull[i];
    }
    const double rest = std::max(0.0, 1 - all);
    for (double& coefficient : a) coefficient *= rest;
    for (std::size_t i = 0; i < pull.size(); ++i) a[i] += pull[i];
  }
  return a;
}

std::vector<double> geometric_median_of_neighbours(const Points& points, double faulty) {
  const std::size_t n = points.count();
  std::vector<double> out(points.size());
  const double total = points.total();
  if (total <= 0) return out;
  // mixed_i = Σ mix[i][j] · point_j
  std::vector<std::vector<double>> mix(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const double wanted = HARAMBEE_MUTANT("mixes-nothing") ? 1 : (1 - faulty) * total;
    const std::vector<std::size_t> chosen = nearest(points, i, wanted);
    double weight = 0;
    for (const std::size_t j : chosen) weight += points.weight(j);
    for (const std::size_t j : chosen) mix[i][j] = points.weight(j) / weight;
  }
  std::vector<double> weight(n);
  for (std::size_t i = 0; i < n; ++i) weight[i] = points.weight(i);
  Points mixed(weight, false);
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<double> row(n);  // ⟨mixed_i, point_k⟩
    for (std::size_t j = 0; j < n; ++j) {
      if (mix[i][j] == 0) continue;
      for (std::size_t k = 0; k < n; ++k) row[k] += mix[i][j] * points.inner(j, k);
    }
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < n; ++k) mixed.inner(i, j) += row[k] * mix[j][k];
    }
    largest = std::max(largest, mixed.inner(i, i));
  }
  std::vector<double> a(n);
  for (std::size_t i = 0; i < n; ++i) a[i] = weight[i] / total;
  const double smallest = 1e-6 * std::sqrt(largest);  // no division by nothing
  for (int step = 0; step < kWeiszfeldSteps && smallest > 0; ++step) {
    const std::vector<double> distance = mixed.distances(a);
    double all = 0;
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = weight[i] / std::max(smallest, distance[i]);
      all += a[i];
    }
    for (double& coefficient : a) coefficient /= all;
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) out[j] += a[i] * mix[i][j];
  }
  return out;
}

std::vector<double> multi_krum(const Points& points, double faulty) {
  std::vector<double> out(points.size());
  const double total = points.total();
  if (total <= 0) return out;
  const double wanted = (1 - faulty) * total;
  std::vector<double> score(points.count());
  for (std::size_t i = 0; i < score.size(); ++i) {
    for (const std::size_t j : nearest(points, i, wanted)) {
      if (j != i) score[i] += points.weight(j) * squared_distance(points, i, j);
    }
  }
  double chosen = 0;
  for (const std::size_t i : order_by(score)) {
    if (points.weight(i) <= 0) continue;
    if (chosen >= wanted && !HARAMBEE_MUTANT("krum-takes-all")) break;
    out[i] = points.weight(i);
    chosen += points.weight(i);
  }
  for (double& coefficient : out) coefficient /= chosen;
  return out;
}

}  // namespace harambee::exact

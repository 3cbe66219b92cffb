#include "sim/attacks/adaptive.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/attacks/vectors.h"

namespace harambee::attacks {
namespace {

constexpr double kMargin = 1e-4;  // nats: the gate's rows are others than the colluders'

const Registered kGateMix({"gate-mix", "x - t mean, the largest t that passes the gate", gate_mix,
                           nullptr, true});
const Registered kChunkMix({"chunk-mix", "x with as many chunks turned as the gate forgives",
                            chunk_mix, nullptr, true});
const Registered kLineSearch({"line-search", "mean + t d, the worst against the actual rule",
                              line_search});
const Registered kOvershoot({"overshoot", "too hard in the right direction", overshoot, nullptr,
                             true});

}  // namespace

Vectors gate_mix(const Scene& scene) {
  Vectors out;
  const double length = norm(scene.mean);
  for (const Vector& own : scene.own) {
    const double unit = length > 0 ? norm(own) / length : 0;
    double low = 0, high = 4;
    for (int step = 0; step < 7; ++step) {
      const double middle = (low + high) / 2;
      const bool passes = scene.gain(plus(own, -middle * unit, scene.mean)) > kMargin;
      (passes ? low : high) = middle;
    }
    out.push_back(plus(own, -low * unit, scene.mean));
  }
  return out;
}

Vectors chunk_mix(const Scene& scene) {
  Vectors out;
  for (const Vector& own : scene.own) {
    const std::size_t chunks = (own.size() + scene.chunk - 1) / scene.chunk;
    std::vector<std::size_t> order(chunks);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = chunks; i > 1; --i) std::swap(order[i - 1], order[scene.rng->below(i)]);
    Vector best = own;
    for (const std::size_t c : order) {
      Vector tried = best;
      const std::size_t end = std::min<std::size_t>((c + 1) * scene.chunk, own.size());
      for (std::size_t i = c * scene.chunk; i < end; ++i) tried[i] = -tried[i];
      if (scene.gain(tried) > kMargin) best = std::move(tried);
    }
    out.push_back(std::move(best));
  }
  return out;
}

Vectors line_search(const Scene& scene) {
  const Vector sigma = deviation(scene.honest, scene.mean);
  Vector turned = sigma;
  for (std::size_t i = 0; i < turned.size(); ++i)
    turned[i] = std::copysign(sigma[i], -scene.mean[i]);
  const Vector directions[] = {times(-1, scene.mean), times(-1, sigma), turned};
  Vectors worst;
  double highest = -1;
  for (const Vector& direction : directions) {
    for (const double t : {0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0}) {
      Vectors tried(scene.colluders(), plus(scene.mean, t, direction));
      const double loss = scene.loss_after(tried);
      if (worst.empty() || loss > highest) highest = loss, worst = std::move(tried);
    }
  }
  return worst;
}

Vectors overshoot(const Scene& scene) {
  const double middle = median_norm(scene.honest);
  Vectors out;
  for (const Vector& own : scene.own) {
    out.push_back(plus(with_norm(0.65 * middle, scene.mean), 1, with_norm(0.76 * middle, own)));
  }
  return out;
}

}  // namespace harambee::attacks

#include "sim/attacks/classical.h"

#include <algorithm>
#include <cmath>

#include "sim/attacks/vectors.h"

namespace harambee::attacks {
namespace {

Vectors everybody(const Scene& scene, const Vector& vector) {
  return Vectors(scene.colluders(), vector);
}

Vectors own_times(const Scene& scene, double factor) {
  Vectors out;
  for (const Vector& one : scene.own) out.push_back(times(factor, one));
  return out;
}

// The largest γ in [0, 64] at which `fits(μ − γσ)`, by bisection.
template <typename Fits>
Vectors largest(const Scene& scene, const Fits& fits) {
  const Vector sigma = deviation(scene.honest, scene.mean);
  double low = 0, high = 64;
  for (int step = 0; step < 24; ++step) {
    const double middle = (low + high) / 2;
    (fits(plus(scene.mean, -middle, sigma)) ? low : high) = middle;
  }
  return everybody(scene, plus(scene.mean, -low, sigma));
}

double square(double x) { return x * x; }

// The axis of largest variance, by power iteration on the honest vectors.
Vector top_axis(const Scene& scene) {
  Vector axis = plus(scene.honest[0], -1, scene.mean);
  for (int step = 0; step < 16; ++step) {
    Vector next(axis.size());
    for (const Vector& one : scene.honest) {
      const Vector centered = plus(one, -1, scene.mean);
      next = plus(next, inner(centered, axis), centered);
    }
    axis = with_norm(1, next);
  }
  return axis;
}

const Registered kFlip({"flip", "-x", flip, nullptr, true});
const Registered kHuge({"huge", "-100 x", huge, nullptr, true});
const Registered kGaussian({"gaussian", "noise of the median norm", gaussian});
const Registered kIpmHalf({"ipm-0.5", "-0.5 mean(honest)", ipm_half});
const Registered kIpmOver({"ipm-1.1", "-1.1 mean(honest)", ipm_over});
const Registered kIpmTwo({"ipm-2", "-2 mean(honest)", ipm_two});
const Registered kIpmNoise({"ipm-noise", "-mean(honest) at the median norm, plus noise",
                            ipm_noise});
const Registered kAlie({"alie", "mean - z deviation", alie});
const Registered kMinMax({"min-max", "mean - g deviation, farthest distance", min_max});
const Registered kMinSum({"min-sum", "mean - g deviation, sum of distances", min_sum});
const Registered kMimic({"mimic", "copies the farthest honest one", mimic});
const Registered kDrift({"drift", "one direction in all rounds", drift});
const Registered kCapture({"capture", "-x on places nobody sends", capture, nullptr, true});

}  // namespace

Vectors flip(const Scene& scene) { return own_times(scene, -1); }
Vectors huge(const Scene& scene) { return own_times(scene, -100); }

Vectors gaussian(const Scene& scene) {
  Vectors out;
  for (std::size_t i = 0; i < scene.colluders(); ++i) {
    out.push_back(with_norm(median_norm(scene.honest), normal(*scene.rng, scene.mean.size())));
  }
  return out;
}

Vectors ipm_half(const Scene& scene) { return everybody(scene, times(-0.5, scene.mean)); }
Vectors ipm_over(const Scene& scene) { return everybody(scene, times(-1.1, scene.mean)); }
Vectors ipm_two(const Scene& scene) { return everybody(scene, times(-2, scene.mean)); }

Vectors ipm_noise(const Scene& scene) {
  const double middle = median_norm(scene.honest);
  const Vector against = with_norm(-middle, scene.mean);
  Vectors out;
  for (std::size_t i = 0; i < scene.colluders(); ++i) {
    const Vector noise = with_norm(middle / 4, normal(*scene.rng, scene.mean.size()));
    out.push_back(plus(against, 1, noise));
  }
  return out;
}

double alie_z(std::size_t all, std::size_t colluders) {
  const double honest = static_cast<double>(all - colluders);
  const double needed = static_cast<double>(all / 2 + 1) - static_cast<double>(colluders);
  const double share = (honest - needed) / honest;
  return share <= 0.5 ? 0 : inverse_normal(std::min(share, 1 - 1e-9));
}

Vectors alie(const Scene& scene) {
  const double z = alie_z(scene.honest.size() + scene.colluders(), scene.colluders());
  return everybody(scene, plus(scene.mean, -z, deviation(scene.honest, scene.mean)));
}

Vectors min_max(const Scene& scene) {
  double most = 0;
  for (const Vector& a : scene.honest) {
    for (const Vector& b : scene.honest) most = std::max(most, distance(a, b));
  }
  return largest(scene, [&](const Vector& x) {
    return std::ranges::all_of(scene.honest,
                               [&](const Vector& one) { return distance(x, one) <= most; });
  });
}

Vectors min_sum(const Scene& scene) {
  const auto sum_to = [&](const Vector& x) {
    double sum = 0;
    for (const Vector& one : scene.honest) sum += square(distance(x, one));
    return sum;
  };
  double most = 0;
  for (const Vector& one : scene.honest) most = std::max(most, sum_to(one));
  return largest(scene, [&](const Vector& x) { return sum_to(x) <= most; });
}

Vectors mimic(const Scene& scene) {
  const Vector axis = top_axis(scene);
  const auto along = [&](const Vector& one) { return std::abs(inner(one, axis)); };
  return everybody(scene, *std::ranges::max_element(scene.honest, {}, along));
}

Vectors drift(const Scene& scene) {
  Rng rng(sha256({view("harambee drift"), scene.seed.view()}));
  const Vector direction = normal(rng, scene.mean.size());
  return everybody(scene, with_norm(median_norm(scene.honest), direction));
}

Vectors capture(const Scene& scene) {
  Vectors out;
  for (const Vector& one : scene.own) {
    Vector x = times(-1, one);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (scene.mean[i] != 0) x[i] = 0;
    }
    out.push_back(with_norm(median_norm(scene.honest), x));
  }
  return out;
}

}  // namespace harambee::attacks

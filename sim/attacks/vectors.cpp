#include "sim/attacks/vectors.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace harambee::attacks {

double inner(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

double norm(std::span<const float> a) { return std::sqrt(inner(a, a)); }

double distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = double{a[i]} - b[i];
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

Vector plus(std::span<const float> a, double factor, std::span<const float> b) {
  Vector out(a.begin(), a.end());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(out[i] + factor * b[i]);
  }
  return out;
}

Vector times(double factor, std::span<const float> a) {
  Vector out(a.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(factor * a[i]);
  return out;
}

Vector with_norm(double wanted, std::span<const float> a) {
  const double is = norm(a);
  return times(is > 0 ? wanted / is : 0, a);
}

Vector mean(std::span<const Vector> all) {
  HARAMBEE_CHECK(!all.empty());
  std::vector<double> sum(all[0].size());
  for (const Vector& one : all) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += one[i];
  }
  Vector out(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    out[i] = static_cast<float>(sum[i] / static_cast<double>(all.size()));
  }
  return out;
}

Vector deviation(std::span<const Vector> all, std::span<const float> mean) {
  std::vector<double> sum(mean.size());
  for (const Vector& one : all) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double difference = double{one[i]} - mean[i];
      sum[i] += difference * difference;
    }
  }
  Vector out(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    out[i] = static_cast<float>(std::sqrt(sum[i] / static_cast<double>(all.size())));
  }
  return out;
}

double median_norm(std::span<const Vector> all) {
  std::vector<double> norms;
  for (const Vector& one : all) norms.push_back(norm(one));
  std::ranges::sort(norms);
  return norms[(norms.size() - 1) / 2];
}

Vector normal(Rng& rng, std::size_t n) {
  Vector out(n);
  for (float& x : out) {
    const double u = (static_cast<double>(rng.next() >> 11) + 0.5) * 0x1p-53;
    const double v = static_cast<double>(rng.next() >> 11) * 0x1p-53;
    x = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v));
  }
  return out;
}

double inverse_normal(double p) {
  HARAMBEE_CHECK(p > 0 && p < 1);
  const auto tail = [](double q) {
    const double top =
        ((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838e+00) * q -
          2.549732539343734e+00) *
             q +
         4.374664141464968e+00) *
            q +
        2.938163982698783e+00;
    const double bottom =
        (((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996e+00) * q +
         3.754408661907416e+00) *
            q +
        1;
    return top / bottom;
  };
  double x = 0;
  if (p < 0.02425) {
    x = tail(std::sqrt(-2 * std::log(p)));
  } else if (p > 1 - 0.02425) {
    x = -tail(std::sqrt(-2 * std::log(1 - p)));
  } else {
    const double q = p - 0.5, r = q * q;
    const double top =
        (((((-3.969683028665376e+01 * r + 2.209460984245205e+02) * r - 2.759285104469687e+02) * r +
           1.383577518672690e+02) *
              r -
          3.066479806614716e+01) *
             r +
         2.506628277459239e+00) *
        q;
    const double bottom =
        ((((-5.447609879822406e+01 * r + 1.615858368580409e+02) * r - 1.556989798598866e+02) * r +
          6.680131188771972e+01) *
             r -
         1.328068155288572e+01) *
            r +
        1;
    x = top / bottom;
  }
  const double error = 0.5 * std::erfc(-x / std::numbers::sqrt2) - p;
  const double step = error * std::sqrt(2 * std::numbers::pi) * std::exp(x * x / 2);
  return x - step / (1 + x * step / 2);
}

}  // namespace harambee::attacks

// Arithmetic on dense vectors, for the attacks. Sums in double, in order.
#pragma once

#include "sim/attacks/attack.h"

namespace harambee::attacks {

[[nodiscard]] double inner(std::span<const float> a, std::span<const float> b);
[[nodiscard]] double norm(std::span<const float> a);
[[nodiscard]] double distance(std::span<const float> a, std::span<const float> b);
// a + factor · b
[[nodiscard]] Vector plus(std::span<const float> a, double factor, std::span<const float> b);
[[nodiscard]] Vector times(double factor, std::span<const float> a);
// Scaled to this norm; zero stays zero.
[[nodiscard]] Vector with_norm(double wanted, std::span<const float> a);
[[nodiscard]] Vector mean(std::span<const Vector> all);
// The standard deviation of each coordinate (divided by the count).
[[nodiscard]] Vector deviation(std::span<const Vector> all, std::span<const float> mean);
[[nodiscard]] double median_norm(std::span<const Vector> all);
// Independent normal numbers of deviation one (Box and Muller).
[[nodiscard]] Vector normal(Rng& rng, std::size_t n);
// The inverse of the normal distribution function, 0 < p < 1 (Acklam's rational approximation and
// one step of Halley's method: full double precision).
[[nodiscard]] double inverse_normal(double p);

}  // namespace harambee::attacks

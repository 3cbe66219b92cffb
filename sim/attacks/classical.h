// The attacks of the literature that need no search. h are the honest vectors, μ and σ their mean
// and deviation by coordinate, N all contributions, m the colluders, M the honest median norm.
#pragma once

#include "sim/attacks/attack.h"

namespace harambee::attacks {

Vectors flip(const Scene& scene);       // −x, x the colluder's own honest work
Vectors huge(const Scene& scene);       // −100·x
Vectors gaussian(const Scene& scene);   // normal noise of norm M
Vectors ipm_half(const Scene& scene);   // −0.5·μ (Xie, Koyejo, Gupta 2019), all the same
Vectors ipm_over(const Scene& scene);   // −1.1·μ
Vectors ipm_two(const Scene& scene);    // −2·μ
Vectors ipm_noise(const Scene& scene);  // −μ at norm M plus noise of norm M/4 for each colluder
Vectors alie(const Scene& scene);  // μ − z·σ (Baruch, Baruch, Goldberg 2019), z = alie_z(N, m)
Vectors min_max(const Scene& scene);  // μ − γσ, the largest γ at which no honest vector is farther
                                      // than the farthest two honest ones are (Shejwalkar and
                                      // Houmansadr 2021)
Vectors min_sum(const Scene& scene);  // the same with sums of squared distances
Vectors mimic(const Scene& scene);    // all copy the honest one farthest along the axis of largest
                                      // variance (Karimireddy, He, Jaggi 2022)
Vectors drift(const Scene& scene);    // one fixed random direction in all rounds, norm M
Vectors capture(const Scene& scene);  // against the own work, on places nobody honest sends

// z = Φ⁻¹((N − m − s) / (N − m)) with s = ⌊N/2 + 1⌋ − m: as far as the honest who are needed for a
// majority are spread. At least 0.
[[nodiscard]] double alie_z(std::size_t all, std::size_t colluders);

}  // namespace harambee::attacks

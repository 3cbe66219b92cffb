// Attacks that know the rules: they try what they would send against the gate, or against the whole
// round, before they send it. Notation as in classical.h.
#pragma once

#include "sim/attacks/attack.h"

namespace harambee::attacks {

// x − t·μ·(‖x‖/‖μ‖) with the largest t in [0, 4] at which the gate still sees a gain: the most
// harmful mix that passes. For each colluder by itself.
Vectors gate_mix(const Scene& scene);
// The same against the direction of descent chunk by chunk: the colluder's own work with as many
// chunks turned around as the gate forgives, in an order of its own, so that colluders differ.
Vectors chunk_mix(const Scene& scene);
// μ + t·d for the d in {−μ, −σ, −sign(μ)·σ} and t in {¼, ½, 1, 2, 4, 8, 16} that leave the highest
// loss after the step of the run's own rule (byzfl's Opt variants).
Vectors line_search(const Scene& scene);
// Everybody pulls too hard in the right direction: 0.65 of norm M along μ, the rest the colluder's
// own work. The gate sees a gain and the sum overshoots. Before encoding no pair is similar enough
// to be a group; keeping the largest values brings them closer together, and groups see them.
Vectors overshoot(const Scene& scene);

}  // namespace harambee::attacks

// Those who want credit without work. They do no harm but the room they take; whether they are paid
// is the ledger's matter. Notation as in classical.h.
#pragma once

#include "sim/attacks/attack.h"

namespace harambee::attacks {

Vectors copy(const Scene& scene);        // the first honest contribution, by every colluder
Vectors copy_noise(const Scene& scene);  // the same plus noise of a tenth of its norm
Vectors zeros(const Scene& scene);       // nothing
Vectors faint(const Scene& scene);       // noise of norm M/1000
Vectors stale(const Scene& scene);       // what was sent in the first round, again and again
Vectors tiny(const Scene& scene);        // 0.01·x

}  // namespace harambee::attacks

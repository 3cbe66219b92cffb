#include "sim/attacks/free_riders.h"

#include "sim/attacks/vectors.h"

namespace harambee::attacks {
namespace {

const Registered kCopy({"copy", "an honest contribution again", copy});
const Registered kCopyNoise({"copy-noise", "an honest contribution plus a tenth of noise",
                             copy_noise});
const Registered kZeros({"zeros", "nothing", zeros});
const Registered kFaint({"faint", "noise of a thousandth of the median norm", faint});
const Registered kStale({"stale", "last round's contribution again", stale, nullptr, true});
const Registered kTiny({"tiny", "0.01 x", tiny, nullptr, true});

}  // namespace

Vectors copy(const Scene& scene) {
  Vectors out;
  for (std::size_t i = 0; i < scene.colluders(); ++i) out.push_back(scene.honest[0]);
  return out;
}

Vectors copy_noise(const Scene& scene) {
  Vectors out = copy(scene);
  for (Vector& one : out) {
    const Vector noise = with_norm(0.1 * norm(one), normal(*scene.rng, one.size()));
    one = plus(one, 1, noise);
  }
  return out;
}

Vectors zeros(const Scene& scene) { return Vectors(scene.colluders(), Vector(scene.mean.size())); }

Vectors faint(const Scene& scene) {
  Vectors out;
  for (std::size_t i = 0; i < scene.colluders(); ++i) {
    out.push_back(
        with_norm(0.001 * median_norm(scene.honest), normal(*scene.rng, scene.mean.size())));
  }
  return out;
}

Vectors stale(const Scene& scene) {
  const std::span<const Vector> sent = scene.last.empty() ? scene.own : scene.last;
  return {sent.begin(), sent.end()};
}

Vectors tiny(const Scene& scene) {
  Vectors out;
  for (const Vector& one : scene.own) out.push_back(times(0.01, one));
  return out;
}

}  // namespace harambee::attacks

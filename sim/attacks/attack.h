// Attacks on a round, each a small function from what colluders know to what they send. They are
// omniscient: they see every honest contribution before they make their own, which no commit-reveal
// round allows; whoever withstands them withstands less.
//
// To add one: write a file in this folder with a function and a `const Registered` that names it.
// The attack bench then has it in its table (bench/attacks), nothing else is to be changed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/rng.h"

namespace harambee::attacks {

using Vector = std::vector<float>;
using Vectors = std::vector<Vector>;

// What the colluders know when they choose. All vectors are dense, in the flat order of the
// parameters, and point where descent goes: θ ← θ − α·x.
struct Scene {
  std::span<const Vector> honest;  // what the honest send this round, decoded; not empty
  std::span<const Vector> own;     // before encoding: what each colluder would send were it honest
                                   // (or trained on its changed text); one for each colluder
  std::span<const Vector> last;    // what the colluders sent last round; empty in the first
  std::span<const float> mean;     // the mean of `honest`
  std::uint64_t round = 0;
  Digest seed;                  // of the run: for directions that stay
  Rng* rng = nullptr;           // fresh numbers
  std::uint32_t chunk = 4'096;  // values share a scale within a chunk
  std::uint32_t keep = 1;       // values that a contribution sends in a chunk

  // The gate's answer, in nats on held-out rows of the colluders' own, to one vector after
  // encoding.
  std::function<double(const Vector&)> gain;
  // The loss after the step that the run's actual rule takes if the colluders send these.
  std::function<double(const Vectors&)> loss_after;

  [[nodiscard]] std::size_t colluders() const { return own.size(); }
};

// How colluders change the text that they train on; rows of tokens (bytes), changed in place.
using Poison = void (*)(std::span<std::uint32_t> row, Rng& rng);

struct Attack {
  std::string_view name;     // one word, as in tables
  std::string_view formula;  // for people
  // One vector for each colluder. Null: the colluders send their own work (trained on poison).
  Vectors (*send)(const Scene&) = nullptr;
  Poison poison = nullptr;
  // Whether `send` reads scene.own (so the colluders have to train).
  bool trains = false;
};

struct Registered {
  explicit Registered(const Attack& attack);
};

// All attacks, by name.
[[nodiscard]] std::span<const Attack> all();
// Null if there is none.
[[nodiscard]] const Attack* find(std::string_view name);

}  // namespace harambee::attacks

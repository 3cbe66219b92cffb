// Random numbers that are the same on every machine. No floats in the interface.
#pragma once

#include <array>
#include <cstdint>

#include "base/hash.h"

namespace harambee {

// The u64 (big-endian) in the first 8 bytes of SHA-256(seed ‖ u64be a ‖ u64be b): a random number
// that anybody can recompute from its place alone (row offsets, shuffles; spec/assignment.md).
[[nodiscard]] std::uint64_t draw(const Digest& seed, std::uint64_t a, std::uint64_t b);

// xoshiro256** (Blackman and Vigna 2018), seeded by a digest. For long streams.
class Rng {
 public:
  explicit Rng(const Digest& seed);
  [[nodiscard]] std::uint64_t next();
  // Uniform in [0, bound), bound > 0; unbiased by rejection.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace harambee

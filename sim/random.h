// The simulator's chance: one seed, and a stream of its own for each subject, so that a draw more
// in one place changes nothing in another. Integers and ratios only.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"
#include "base/rng.h"

namespace harambee::sim {

class Stream {
 public:
  // Substream: SHA-256(seed ‖ subject ‖ entity).
  Stream(std::uint64_t seed, std::string_view subject, std::uint64_t entity = 0)
      : rng_(of(seed, subject, entity)) {}

  [[nodiscard]] static Digest of(std::uint64_t seed, std::string_view subject,
                                 std::uint64_t entity = 0) {
    Bytes place;
    put_u64be(place, seed);
    put_u64be(place, entity);
    return sha256({view("harambee simulator v1\n"), place, view(subject)});
  }

  [[nodiscard]] std::uint64_t next() { return rng_.next(); }
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return rng_.below(bound); }
  // Inclusive.
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low) + 1));
  }
  [[nodiscard]] bool chance(std::uint64_t numerator, std::uint64_t denominator) {
    return numerator > 0 && rng_.below(denominator) < numerator;
  }

 private:
  Rng rng_;
};

}  // namespace harambee::sim

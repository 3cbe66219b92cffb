#include "base/rng.h"

#include <bit>

#include "base/check.h"

namespace harambee {

std::uint64_t draw(const Digest& seed, std::uint64_t a, std::uint64_t b) {
  Bytes place;
  place.reserve(16);
  put_u64be(place, a);
  put_u64be(place, b);
  return get_u64be(sha256({seed.view(), place}).bytes.data());
}

Rng::Rng(const Digest& seed) {
  for (std::size_t i = 0; i < state_.size(); ++i) state_[i] = get_u64be(&seed.bytes[8 * i]);
  // The one state that xoshiro never leaves.
  if (seed == Digest{}) state_[0] = 1;
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  HARAMBEE_CHECK(bound > 0);
  std::uint64_t value = next();
  if (value < bound) {  // else it is not below 2^64 mod bound either, which costs a division
    const std::uint64_t uneven = -bound % bound;
    while (value < uneven) value = next();
  }
  return value % bound;
}

}  // namespace harambee

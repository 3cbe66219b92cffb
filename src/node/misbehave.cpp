#include "node/misbehave.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "base/rng.h"
#include "node/round_math.h"

namespace harambee::node {
namespace {

// Uniform, of the same norm as `trained` - `before`, and taken from `before`.
std::vector<float> noise_like(std::span<const float> before, std::span<const float> trained,
                              const Digest& seed) {
  Rng rng(seed);
  std::vector<float> noise(before.size());
  double wanted = 0, got = 0;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    noise[i] = static_cast<float>(static_cast<double>(rng.next() >> 11) * 0x1p-53 - 0.5);
    wanted += std::pow(double{before[i]} - trained[i], 2);
    got += std::pow(double{noise[i]}, 2);
  }
  const auto scale = static_cast<float>(std::sqrt(wanted / std::max(got, 1e-30)));
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = before[i] - scale * noise[i];
  return noise;
}

}  // namespace

Result<Misbehave> parse_misbehave(const std::string& text) {
  if (text == "none") return Misbehave::none;
  if (text == "sign-flip") return Misbehave::sign_flip;
  if (text == "noise") return Misbehave::noise;
  if (text == "withhold") return Misbehave::withhold;
  if (text == "malformed") return Misbehave::malformed;
  if (text == "lazy") return Misbehave::lazy;
  if (text == "other-data") return Misbehave::other_data;
  if (text == "amplified") return Misbehave::amplified;
  return invalid(
      "misbehaviour is one of none, sign-flip, noise, withhold, malformed, lazy, other-data, "
      "amplified");
}

bool forges_delta(Misbehave how) {
  return how == Misbehave::sign_flip || how == Misbehave::noise || how == Misbehave::malformed ||
         how == Misbehave::amplified;
}

Result<Bytes> forged_delta(Misbehave how, const exact::Codec& codec,
                           const exact::Provenance& provenance, std::span<const float> before,
                           std::span<const float> trained, std::vector<float>& residual) {
  HARAMBEE_CHECK(forges_delta(how));
  if (how == Misbehave::sign_flip) {
    return encode_contribution(codec, provenance, trained, before, residual);
  }
  if (how == Misbehave::malformed) {
    residual.assign(before.size(), 0.0F);
    return to_bytes("this is no delta");
  }
  if (how == Misbehave::noise) {
    return encode_contribution(codec, provenance, before,
                               noise_like(before, trained, provenance.base), residual);
  }
  std::vector<float> further(before.size());
  for (std::size_t i = 0; i < further.size(); ++i) {
    further[i] = before[i] + 1.5F * (trained[i] - before[i]);
  }
  return encode_contribution(codec, provenance, before, further, residual);
}

}  // namespace harambee::node

// Pseudo-random test data that is the same on every machine: built from integers with + − × only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "exact/codec.h"

namespace harambee::exact {

[[nodiscard]] inline Rng rng_of(const std::string& name) { return Rng(sha256(view(name))); }

// About normal (a sum of twelve uniforms, Irwin-Hall), times `scale`.
[[nodiscard]] inline std::vector<float> bell(Rng& rng, std::size_t n, float scale) {
  std::vector<float> out(n);
  for (float& x : out) {
    std::int64_t sum = 0;
    for (int i = 0; i < 3; ++i) {
      const std::uint64_t bits = rng.next();
      for (int j = 0; j < 4; ++j) sum += static_cast<std::int64_t>((bits >> (16 * j)) & 0xFFFF);
    }
    x = static_cast<float>(sum - 6 * 0xFFFF) * 0x1p-16F * scale;
  }
  return out;
}

// Heavy tails: a bell times the square of another, so magnitudes spread over many octaves.
[[nodiscard]] inline std::vector<float> heavy(Rng& rng, std::size_t n, float scale) {
  std::vector<float> out = bell(rng, n, scale);
  const std::vector<float> factor = bell(rng, n, 1.0F);
  for (std::size_t i = 0; i < n; ++i) out[i] *= factor[i] * factor[i];
  return out;
}

[[nodiscard]] inline Codec codec_of(Codec::Kind kind, std::uint32_t keep) {
  return {kind, keep, Decimal{950'000'000}};
}

// Every kind, with a number to keep for the sparse ones.
[[nodiscard]] inline std::vector<Codec> all_codecs() {
  using Kind = Codec::Kind;
  return {codec_of(Kind::sign, 32),    codec_of(Kind::sign, 256),     codec_of(Kind::sign, 1),
          codec_of(Kind::sign, 2'048), codec_of(Kind::two_level, 48), codec_of(Kind::ternary, 0),
          codec_of(Kind::int4, 0),     codec_of(Kind::dense, 0)};
}

[[nodiscard]] inline Digest test_base() { return sha256(view("base weights")); }
[[nodiscard]] inline KeyId test_author() { return sha256(view("author")); }

}  // namespace harambee::exact

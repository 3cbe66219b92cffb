// Inner products of all pairs of contributions, exactly, in one streaming pass: what every rule
// that looks at distances or angles needs, in O(N²) memory whatever the model's size
// (spec/robust.md; reference: El Mhamdi et al. 2018 and others write these rules with d-dimensional
// vectors, the Gram form needs none).
//
// The pass may look at a sample of the chunks only. Its seed must come after the contributions are
// committed, or an attacker hides where nobody looks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/rng.h"
#include "exact/codec.h"

namespace harambee::exact {

// Exactly this many chunks of a model are looked at, or all of a smaller one, however small the
// share.
inline constexpr std::uint64_t kSampleChunksMin = 256;

// Which chunks: n = max(⌈share · chunks⌉, min(chunks, 256)) of them, each set of n equally likely
// (Knuth's algorithm S), drawn by an Rng seeded with SHA-256("harambee chunks v1\n" ‖ seed).
class ChunkSample {
 public:
  // 0 < share ≤ 1 (a bug otherwise).
  ChunkSample(std::uint64_t chunks, const Decimal& share, const Digest& seed);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Whether the next chunk is in the sample; to be asked once for each, in order.
  [[nodiscard]] bool next();

 private:
  Rng rng_;
  std::uint64_t chunks_left_;
  std::uint64_t size_;
  std::uint64_t wanted_;
};

// ⟨x_i, x_j⟩ over the sampled chunks = integer(i, j) · 2^(exponent(i) + exponent(j)).
class Gram {
 public:
  __extension__ using Integer = __int128;

  // Borrows nothing afterwards. `previous` (may be null) becomes the last point. invalid: none, or
  // of different length; limit: more than kContributionsMax.
  // Memory: (N+1)² · 24 bytes, and one chunk of every contribution (14 bytes a value). Bounds:
  // |value| ≤ 127 · 65535 < 2^23, so a chunk's sum is < 2^58 and the whole < 2^82; int64 holds the
  // sums of as many chunks as their norms allow, then they move into 128 bits.
  [[nodiscard]] static Result<Gram> make(std::span<const Delta> deltas, const Delta* previous,
                                         const Decimal& share, const Digest& seed);

  [[nodiscard]] std::size_t size() const { return exponent_.size(); }
  [[nodiscard]] Integer integer(std::size_t i, std::size_t j) const {
    return i >= j ? sum_[i * size() + j] : sum_[j * size() + i];
  }
  [[nodiscard]] int exponent(std::size_t i) const { return exponent_[i]; }
  // The inner product as a double: the integer rounded once, then scaled by a power of two.
  [[nodiscard]] double value(std::size_t i, std::size_t j) const;
  // Whether cos(x_i, x_j) > threshold, decided in integers; false if one of them is zero.
  [[nodiscard]] bool similar(std::size_t i, std::size_t j, const Decimal& threshold) const;

 private:
  std::vector<Integer> sum_;  // size × size, lower triangle
  std::vector<int> exponent_;
};

// The position of the first contribution in each one's group: contributions are in one group if a
// chain of pairs, each with a cosine above `threshold`, leads from one to the other. Only the first
// `count` points of the Gram matrix (leave the previous update out). threshold 0…1; 0: nobody is
// grouped (the layer is off).
[[nodiscard]] std::vector<std::uint32_t> similar_groups(const Gram& gram, std::size_t count,
                                                        const Decimal& threshold);

// Of each contribution's squared norm (over the sampled chunks), the share on places that no other
// group sends, in units of 2^-30, rounded down; 0 for a zero contribution. Groups as above.
[[nodiscard]] Result<std::vector<std::uint32_t>> exclusive_shares(
    std::span<const Delta> deltas, std::span<const std::uint32_t> group, const Decimal& share,
    const Digest& seed);

namespace reference {
// The same integers, from every pair of decoded vectors: (N+1)² · 16 bytes row by row. For tests.
[[nodiscard]] std::vector<Gram::Integer> gram(std::span<const Delta> deltas, const Delta* previous,
                                              const Decimal& share, const Digest& seed);
}  // namespace reference

}  // namespace harambee::exact

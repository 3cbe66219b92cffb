// encode() in two passes, chunk by chunk, so that the outer step can make the residual and choose
// what to send while a chunk is in the cache. Internal to this room.
//
// The first pass decides which values are kept and each chunk's scale as a double; the shared
// exponent needs the largest scale. The second pass writes bits and takes what was sent out of the
// residual.
#pragma once

#include <span>
#include <vector>

#include "exact/codec.h"

namespace harambee::exact {

class Encoder {
 public:
  // The codec must be valid and the count in range (a bug otherwise).
  Encoder(const Codec& codec, std::uint64_t parameters);

  // The next chunk of the residual, in order. limit: NaN or beyond kMagnitudeMax.
  [[nodiscard]] Status add(std::span<const float> chunk);
  // What was sent, applied at once: weights ← weights + factor · value, as add_scaled() does.
  struct Step {
    float factor = 0;
    std::span<float> weights;  // empty: nothing is applied
  };
  // After all chunks. `residual` holds the numbers given to add().
  [[nodiscard]] Bytes finish(const Provenance& provenance, std::span<float> residual,
                             const Step& step);

 private:
  struct Scale {
    double low = 0;   // the scale, or two_level's lower one; 0: nothing is sent
    double high = 0;  // two_level's upper one, or ternary's threshold
    std::uint32_t kept = 0;
  };
  struct Output;

  // All return the largest magnitude bits of the chunk.
  std::uint32_t add_sparse(std::span<const float> chunk, Scale& scale);
  std::uint32_t add_dense(std::span<const float> chunk, Scale& scale) const;
  std::uint32_t find_candidates(std::span<const float> chunk, std::uint32_t keep);
  std::uint32_t guess(std::span<const float> chunk);
  void keep_largest(std::uint32_t keep, bool any_order, Scale& scale);
  [[nodiscard]] double sum_in_order(std::uint32_t equals) const;
  void split_levels(std::span<const float> chunk, Scale& scale);
  // `at`: the chunk's first parameter.
  void write_sparse(const Scale& scale, const std::uint16_t* kept, std::size_t at,
                    std::span<float> chunk, Output& out) const;
  void write_dense(const Scale& scale, std::size_t at, std::span<float> chunk, Output& out);

  Codec codec_;
  std::uint64_t parameters_;
  std::vector<Scale> scales_;
  std::vector<std::uint16_t> kept_;  // place, with flags in the upper bits
  // Scratch: the candidates of one chunk, at least as large as what was tried.
  std::vector<std::uint32_t> place_;  // with kNegative where they are negative
  std::vector<std::uint32_t> bits_;   // of their magnitudes, filled up with zeros
  std::uint32_t found_ = 0;           // how many
  std::uint32_t ranked_ = 0;          // with the zeros
  std::uint32_t tried_ = 0;           // magnitude bits
  // Of the last chunk: the magnitude bits of the smallest that was kept, and a mean of |x|.
  std::uint32_t threshold_ = 0;
  float size_ = 0;
  std::vector<std::int32_t> code_;  // scratch: a dense codec's chunk
};

}  // namespace harambee::exact

// Many contributions into one step, in integers: the result does not depend on the order of the
// contributions, on threads or on vector width (spec/outer-step.md).
//
// Each contribution is clipped as a whole to the median norm; rules that look at one coordinate at
// a time are wrong for sparse deltas, whose supports are nearly disjoint. The sum is divided by the
// number of contributions, not by the number that sent a coordinate.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "exact/codec.h"
#include "exact/sum_reader.h"

namespace harambee::exact {

inline constexpr std::size_t kContributionsMax = 1'024;

// The lower median: element (n − 1) / 2 in ascending order. n ≥ 1 (a bug otherwise).
[[nodiscard]] SquaredNorm median(std::span<const SquaredNorm> norms);

// min(1, ‖median‖ / ‖x‖), exact to 2^-60 and then rounded to double; 1 when x is zero.
[[nodiscard]] double clip(const SquaredNorm& norm, const SquaredNorm& median);

// u = (Σ weight[i] · x_i + previous · û) · 2^exponent ÷ divisor, where x_i and û are the integers
// of the contributions and of the previous update. Weights are integers 0 ≤ a ≤ 2^30; the largest
// is at least 2^29, unless all are zero. Every rule makes these (exact/robust.h for the robust
// ones).
struct Weights {
  std::vector<std::uint32_t> weight;  // of each contribution, in log order
  std::uint32_t previous = 0;         // of the previous round's update; 0 for most rules
  int exponent = 0;
  double divisor = 1;
  bool operator==(const Weights&) const = default;
};
// The clip to the median norm, with the contributions' own exponents folded in.
[[nodiscard]] Weights clip_weights(std::span<const SquaredNorm> norms);

// u, chunk after chunk: float(double(S) · (2^k / divisor)) of the integer sum S,
// the quotient being one double. Memory: one accumulator of 4096 int64, 1024 places, and a cursor
// and a weight (32 bytes) for each contribution, whatever the model's size.
class Aggregate {
 public:
  // Borrows the deltas. invalid: none, or of different length; limit: more than kContributionsMax.
  [[nodiscard]] static Result<Aggregate> make(std::span<const Delta> deltas);

  // With weights of another rule. `previous` may be null if weights.previous is 0. A contribution
  // of weight 0 is not read. Weights of another count, or of a previous update that is missing, are
  // a bug.
  [[nodiscard]] static Result<Aggregate> make(std::span<const Delta> deltas, Weights weights,
                                              const Delta* previous);

  [[nodiscard]] std::uint64_t parameters() const { return parameters_; }
  [[nodiscard]] bool done() const { return chunk_ == chunks_; }
  // The next chunk of u: out[0 … length), length = min(4096, what is left), which is returned.
  // Requires !done() and out.size() ≥ length.
  std::uint32_t next(std::span<float> out);
  // The same, onto what is there: out ← β·out + u, one product, one sum, each rounded to float.
  std::uint32_t add_next(std::span<float> out, float beta);

 private:
  Aggregate() = default;
  std::uint32_t add(std::span<float> out, const float* beta);
  SumReader reader_;
  double scale_ = 0;
  std::uint64_t parameters_ = 0;
  std::uint64_t chunk_ = 0;
  std::uint64_t chunks_ = 0;
  // Where few places have a value, only those are looked at. Beyond this many values of a chunk
  // (with repetitions) it is faster to convert all of its sums.
  static constexpr std::uint32_t kFewMost = 1'024;
  bool few_ = false;
  // All zero between calls. On cache lines of its own: vectors across two lines cost twice.
  struct alignas(64) Sums {
    std::array<std::int64_t, kChunk> of{};
    std::array<std::uint16_t, kFewMost> places;
  };
  std::unique_ptr<Sums> sums_;
};

// The whole of u at once; out.size() must be the deltas' parameter count (a bug otherwise).
[[nodiscard]] Status aggregate(std::span<const Delta> deltas, std::span<float> out);
[[nodiscard]] Status aggregate(std::span<const Delta> deltas, const Weights& weights,
                               const Delta* previous, std::span<float> out);

}  // namespace harambee::exact

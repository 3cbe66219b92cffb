// Compressed pseudo-gradients, bit for bit the same on every machine (spec/delta.md).
//
// A vector of parameters is cut into chunks of 4096. A sparse codec keeps the largest magnitudes
// of each chunk and sends their places and signs with one scale per chunk; a dense codec sends a
// small integer per parameter. Decoded values are integer × 2^exponent with one exponent for the
// whole delta, so sums over contributions are exact. What was not sent stays in the residual
// ("error feedback", Karimireddy et al., arXiv 1901.09847).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"
#include "base/sign.h"

namespace harambee::exact {

inline constexpr std::string_view kDeltaType = "application/vnd.harambee.delta.v1";
inline constexpr std::uint32_t kChunk = 4'096;  // parameters
inline constexpr std::uint64_t kParametersMax = std::uint64_t{1} << 36;
// Residuals beyond 2^39 are refused: training has diverged long before.
inline constexpr float kMagnitudeMax = 549'755'813'888.0F;
inline constexpr int kExponentMin = -126;  // every decoded value is a normal float
inline constexpr int kExponentMax = 24;

struct Codec {
  // Values are part of the format: append only.
  enum class Kind : std::uint8_t {
    sign = 1,       // top-k, signs, one scale: about 9.5 bits per kept value
    two_level = 2,  // top-k, signs and one of two scales
    ternary = 3,    // every parameter −1, 0 or 1
    int4 = 4,       // every parameter −7…7
    dense = 5,      // every parameter −127…127: a baseline without visible loss
  };
  Kind kind = Kind::sign;
  std::uint32_t keep = 0;  // kept values of a full chunk, 1…2048; 0 for the dense kinds
  Decimal feedback;        // what is left of the residual each round, 0…1

  bool operator==(const Codec&) const = default;
  [[nodiscard]] bool sparse() const { return kind == Kind::sign || kind == Kind::two_level; }
  [[nodiscard]] Status validate() const;
};

// The recipe's {"feedback":"0.95","keep":32,"name":"sign"}; exactly these keys. from_json
// validates.
[[nodiscard]] Json to_json(const Codec& codec);
[[nodiscard]] Result<Codec> codec_from_json(const Json& json);

// ‖x‖² = integer × 4^exponent, exactly. Score records carry digits() and exponent.
struct SquaredNorm {
  __extension__ using Integer = unsigned __int128;
  Integer integer = 0;
  int exponent = 0;

  [[nodiscard]] std::string digits() const;  // decimal
  // Refuses leading zeros, other characters, more than 38 digits, an exponent out of range.
  [[nodiscard]] static Result<SquaredNorm> from_digits(std::string_view digits,
                                                       std::int64_t exponent);
  // By value: 4 × 4^0 equals 1 × 4^1.
  [[nodiscard]] std::strong_ordering operator<=>(const SquaredNorm& other) const;
  [[nodiscard]] bool operator==(const SquaredNorm& other) const { return (*this <=> other) == 0; }
  [[nodiscard]] double to_double() const;  // ‖x‖ (not squared), for people
};

// e ← β·e + (base − trained): one product, one difference, one sum, each rounded to float.
// All three have the same length (a bug otherwise). `feedback` as a float: Decimal::to_double,
// rounded once more.
void accumulate(std::span<float> residual, const Decimal& feedback, std::span<const float> base,
                std::span<const float> trained);

// Whose a delta is, and of what. A contribution names its author, so that nobody can commit to
// another's bytes and let their author reveal them; an update is nobody's: all zero.
struct Provenance {
  Digest base;   // digest of the weights that the delta starts from
  KeyId author;  // all zero: nobody's
  // NOLINTNEXTLINE(google-explicit-constructor): an update is named by its base alone
  Provenance(const Digest& base_, const KeyId& author_ = KeyId{}) : base(base_), author(author_) {}
};

// Encodes the residual e and subtracts from it what was encoded.
// invalid or limit: e holds NaN, infinity or more than kMagnitudeMax, the codec is not valid, or e
// is empty or longer than kParametersMax; e is unchanged then. Extra memory: 2 bytes for each kept
// value and 24 for each chunk, besides the result.
[[nodiscard]] Result<Bytes> encode(const Codec& codec, const Provenance& provenance,
                                   std::span<float> residual);

// A delta that has been read to its last bit and found canonical. Borrows the blob's bytes.
// Immutable, so any number of threads may read it.
class Delta {
 public:
  // Refuses anything that encode() could not have written for this codec, parameter count and
  // provenance (spec/delta.md lists the rules). Messages say which rule. No memory is taken.
  [[nodiscard]] static Result<Delta> parse(View blob, std::uint64_t parameters, const Codec& codec,
                                           const Provenance& provenance);

  [[nodiscard]] std::uint64_t parameters() const { return parameters_; }
  [[nodiscard]] int exponent() const { return norm_.exponent; }
  [[nodiscard]] std::uint64_t nonzero() const { return nonzero_; }
  [[nodiscard]] const SquaredNorm& squared_norm() const { return norm_; }
  [[nodiscard]] View blob() const { return blob_; }
  [[nodiscard]] Codec::Kind kind() const { return kind_; }
  [[nodiscard]] std::uint32_t keep() const { return keep_; }
  [[nodiscard]] std::uint64_t chunks() const { return (parameters_ + kChunk - 1) / kChunk; }

  // The non-zero values of one chunk: parameter place[i] of the chunk is value[i] × 2^exponent.
  // Places ascend. |value| ≤ 127 × 65535.
  struct Chunk {
    std::uint32_t size = 0;
    std::array<std::uint16_t, kChunk> place;
    std::array<std::int32_t, kChunk> value;
  };

  // Walks a delta chunk by chunk. A few words of memory; many cursors can share one Chunk.
  class Cursor {
   public:
    explicit Cursor(const Delta& delta) : Cursor(delta, 0, 0) {}
    // From a chunk on that begins at this bit after the header.
    Cursor(const Delta& delta, std::uint64_t chunk, std::uint64_t bit)
        : delta_(&delta), bit_(bit), chunk_(chunk) {}
    [[nodiscard]] bool done() const { return chunk_ == delta_->chunks(); }
    // Requires !done(). Writes only the first `size` elements.
    void next(Chunk& out);

   private:
    const Delta* delta_;
    std::uint64_t bit_;
    std::uint64_t chunk_;
  };

 private:
  Delta() = default;
  View blob_;
  std::uint64_t parameters_ = 0;
  std::uint64_t nonzero_ = 0;
  Codec::Kind kind_ = Codec::Kind::sign;
  std::uint32_t keep_ = 0;
  SquaredNorm norm_;
  // Where the chunks with the numbers 0, 1, 2 and 3 times quarter() begin, in bits after the
  // header.
  std::array<std::uint64_t, 4> quarter_begins_{};
  // A quarter of the chunks without the last one, rounded down.
  [[nodiscard]] std::uint64_t quarter() const { return (chunks() - 1) / 4; }
  friend void add_scaled(const Delta& delta, float factor, std::span<float> values);
};

// values ← values + factor · Δ̂ where Δ̂ is not zero: one product, one sum, each rounded to float;
// other elements stay untouched. The validators' gate is θ + (−step · clip) · Δ̂.
// values.size() must be delta.parameters() (a bug otherwise).
void add_scaled(const Delta& delta, float factor, std::span<float> values);

// Δ̂ itself: every value is a float exactly.
[[nodiscard]] std::vector<float> decode(const Delta& delta);

}  // namespace harambee::exact

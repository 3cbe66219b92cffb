#include "exact/encoder.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "exact/container.h"
#include "exact/kernels.h"
#include "exact/math.h"

namespace harambee::exact {
namespace {

using container::BitWriter;
using container::chunk_length;
using Kind = Codec::Kind;

constexpr std::uint16_t kPlaceMask = 0x0FFF;
constexpr std::uint16_t kNegative = 0x8000;
constexpr std::uint16_t kHigh = 0x4000;
static_assert(kChunk == kPlaceMask + 1u);

constexpr std::uint32_t kBitsMax = std::bit_cast<std::uint32_t>(kMagnitudeMax);
// Half an octave up to one eighth: a guess lower by this much finds about 1.5 × keep candidates in
// Gaussian and Laplace data. It changes speed, never the result.
constexpr std::uint32_t kGuessSlack = 1u << 20;
constexpr std::uint32_t kOctave = 1u << 23;

std::uint32_t magnitude_bits(float x) {
  return std::bit_cast<std::uint32_t>(x) & kernels::kMagnitudeBits;
}

// The largest threshold that at least `keep` of `bits` reach, or any with exactly `keep`. Bisection
// has no branches that depend on the numbers, unlike a selection algorithm.
std::uint32_t threshold_of(std::span<const std::uint32_t> bits, std::uint32_t keep,
                           std::uint32_t least, std::uint32_t most) {
  const auto n = static_cast<std::uint32_t>(bits.size());
  while (least < most) {
    const std::uint32_t middle = least + (most - least + 1) / 2;
    const std::uint32_t count = kernels::count_at_least(bits.data(), n, middle);
    if (count == keep) return middle;
    if (count > keep) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return least;
}

// Σ|x| and the count of |x| > threshold, in eight interleaved sums folded 4, 2, 1: the order that
// the specification fixes, which also vectorises.
struct AbsoluteSum {
  double sum = 0;
  std::uint32_t count = 0;
};
AbsoluteSum absolute_sum(std::span<const float> chunk, double threshold) {
  double lane[8] = {};
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    const double x = std::fabs(static_cast<double>(chunk[i]));
    if (x <= threshold) continue;
    lane[i % 8] += x;
    ++count;
  }
  for (int half = 4; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return {lane[0], count};
}

std::uint32_t mantissa_of(double scale, double inverse_unit) {
  return static_cast<std::uint32_t>(scale * inverse_unit + 0.5);
}

// The least exponent E with round(scale / 2^E) < 2^16; scale > 0 and normal.
int exponent_of(double scale) {
  const int top = static_cast<int>((std::bit_cast<std::uint64_t>(scale) >> 52) & 0x7FF) - 1023;
  const int exponent = top - 15;
  return mantissa_of(scale, power_of_two(-exponent)) <= 0xFFFF ? exponent : exponent + 1;
}

}  // namespace

// What the second pass shares between chunks.
struct Encoder::Output {
  BitWriter bits;
  double inverse_unit = 0;  // 2^−exponent
  float unit = 0;           // 2^exponent
  unsigned rice = 0;
  bool zero = false;  // nothing is large enough to be sent
  Step step;
};

Encoder::Encoder(const Codec& codec, std::uint64_t parameters)
    : codec_(codec), parameters_(parameters) {
  HARAMBEE_CHECK(codec.validate().ok() && parameters >= 1 && parameters <= kParametersMax);
  const std::uint64_t chunks = (parameters + kChunk - 1) / kChunk;
  scales_.reserve(chunks);
  if (codec_.sparse()) {
    kept_.reserve(std::min<std::uint64_t>(chunks * codec_.keep, parameters) + kChunk);
    place_.resize(kChunk + kernels::kPlaceSlack);
    bits_.resize(kChunk);
  } else {
    code_.resize(kChunk);
  }
}

Status Encoder::add(std::span<const float> chunk) {
  HARAMBEE_CHECK(chunk.size() == chunk_length(parameters_, scales_.size()));
  Scale scale;
  const std::uint32_t largest =
      codec_.sparse() ? add_sparse(chunk, scale) : add_dense(chunk, scale);
  if (largest >= kBitsMax) {
    return fail(ErrorCode::limit, "residual: a number is not finite, or beyond 2^39");
  }
  scales_.push_back(scale);
  return ok();
}

// Fills place_ with all places that reach some threshold, at least `keep` of them unless fewer are
// not zero. Which threshold is a guess from the last chunk: it decides speed, never the result.
std::uint32_t Encoder::find_candidates(std::span<const float> chunk, std::uint32_t keep) {
  const auto n = static_cast<std::uint32_t>(chunk.size());
  std::uint32_t threshold = std::max(guess_, 1u);
  for (int tries = 0;; ++tries) {
    std::uint32_t largest = 0;
    found_ = kernels::at_least(chunk.data(), n, threshold, place_.data(), &largest);
    if (found_ >= keep || threshold == 1) return largest;
    threshold = tries < 3 && threshold > 2 * kOctave ? threshold - kOctave : 1;
  }
}

std::uint32_t Encoder::add_sparse(std::span<const float> chunk, Scale& scale) {
  const std::uint32_t keep = std::min<std::uint32_t>(codec_.keep, chunk.size());
  const std::uint32_t largest = find_candidates(chunk, keep);
  // The next chunk usually follows in memory; let its first half come while this one is ranked.
  for (std::uint32_t i = 0; i < kChunk / 2; i += 16) __builtin_prefetch(chunk.data() + kChunk + i);
  if (largest == 0 || largest >= kBitsMax) return largest;
  std::uint32_t least = kernels::kMagnitudeBits;
  for (std::uint32_t i = 0; i < found_; ++i) {
    bits_[i] = magnitude_bits(chunk[place_[i]]);
    least = std::min(least, bits_[i]);
  }
  if (found_ > keep) least = threshold_of({bits_.data(), found_}, keep, least, largest);
  guess_ = least > kGuessSlack ? least - kGuessSlack : 1;
  keep_largest(chunk, least, scale);
  if (codec_.kind == Kind::two_level) split_levels(chunk, scale);
  return largest;
}

// Keeps the candidates above the threshold, and those that equal it, lowest place first, until the
// chunk is full. The mean is summed in ascending order of places.
void Encoder::keep_largest(std::span<const float> chunk, std::uint32_t threshold, Scale& scale) {
  const std::uint32_t keep = std::min<std::uint32_t>(codec_.keep, chunk.size());
  const std::uint32_t above = kernels::count_at_least(bits_.data(), found_, threshold + 1);
  std::uint32_t equals = keep - std::min(above, keep);  // how many equal ones there is room for
  const std::size_t first = kept_.size();
  kept_.resize(first + found_);
  std::uint16_t* out = kept_.data() + first;
  double sum = 0;
  for (std::uint32_t i = 0; i < found_; ++i) {
    // No branches: which numbers are kept, and their signs, are beyond prediction.
    const std::uint32_t equal = (bits_[i] == threshold) & (equals != 0);
    const std::uint32_t keeps = (bits_[i] > threshold) | equal;
    equals -= equal;
    const std::uint32_t negative = std::bit_cast<std::uint32_t>(chunk[place_[i]]) >> 31;
    *out = static_cast<std::uint16_t>(place_[i] | (negative * kNegative));
    out += keeps;
    const auto magnitude = static_cast<double>(std::bit_cast<float>(bits_[i]));
    sum +=
        std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) & (std::uint64_t{0} - keeps));
  }
  scale.kept = static_cast<std::uint32_t>(out - (kept_.data() + first));
  kept_.resize(first + scale.kept);
  scale.low = sum / scale.kept;
}

// What is above the mean gets a level of its own.
void Encoder::split_levels(std::span<const float> chunk, Scale& scale) {
  double low = 0, high = 0;
  std::uint32_t highs = 0;
  for (std::size_t i = kept_.size() - scale.kept; i < kept_.size(); ++i) {
    const double x = std::fabs(static_cast<double>(chunk[kept_[i] & kPlaceMask]));
    if (x > scale.low) {
      kept_[i] |= kHigh;
      high += x;
      ++highs;
    } else {
      low += x;
    }
  }
  if (highs == 0) return;
  scale.high = high / highs;
  scale.low = low / (scale.kept - highs);
}

std::uint32_t Encoder::add_dense(std::span<const float> chunk, Scale& scale) const {
  const std::uint32_t largest =
      kernels::max_bits(chunk.data(), static_cast<std::uint32_t>(chunk.size()));
  if (largest == 0 || largest >= kBitsMax) return largest;
  if (codec_.kind == Kind::ternary) {
    // Ternary weight networks (Li et al., arXiv 1605.04711): a threshold at about 0.7 of the mean.
    scale.high = absolute_sum(chunk, -1.0).sum / static_cast<double>(chunk.size()) * 0.75;
    const AbsoluteSum above = absolute_sum(chunk, scale.high);
    scale.low = above.sum / above.count;
  } else {
    const double limit = codec_.kind == Kind::int4 ? 7.0 : 127.0;
    scale.low = static_cast<double>(std::bit_cast<float>(largest)) / limit;
  }
  return largest;
}

void Encoder::write_sparse(const Scale& scale, const std::uint16_t* kept, std::size_t at,
                           std::span<float> chunk, Output& out) const {
  std::uint32_t low = mantissa_of(scale.low, out.inverse_unit);
  std::uint32_t high = mantissa_of(scale.high, out.inverse_unit);
  const bool two_level = codec_.kind == Kind::two_level;
  if (high != 0) low = std::max(low, 1u);
  if (high <= low) high = 0;  // no difference is left between the levels
  if (out.zero) low = 0;
  out.bits.put(low, container::kMantissaBits);
  if (low == 0) return;
  if (two_level) out.bits.put(high, container::kMantissaBits);
  const std::uint32_t most = std::min<std::uint32_t>(codec_.keep, chunk.size());
  out.bits.put(scale.kept == most ? 1 : 0, 1);
  if (scale.kept != most) out.bits.put(scale.kept, container::kCountBits);

  const float low_value = static_cast<float>(low) * out.unit;
  const float high_value = static_cast<float>(high) * out.unit;
  const unsigned rice = out.rice;
  const std::uint32_t rest_mask = (1u << rice) - 1;
  const unsigned fixed = rice + (two_level ? 2 : 1);
  const float factor = out.step.factor;
  float* weights = out.step.weights.empty() ? nullptr : out.step.weights.data() + at;
  std::uint32_t next = 0;
  BitWriter bits = out.bits;  // a copy stays in registers
  for (std::uint32_t i = 0; i < scale.kept; ++i) {
    // The next chunk's places lie scattered in memory: ask for them while this chunk is written.
    const std::uint32_t ahead = kChunk + (kept[i + scale.kept] & kPlaceMask);
    __builtin_prefetch(chunk.data() + ahead, 1);
    if (weights) __builtin_prefetch(weights + ahead, 1);
    const std::uint32_t place = kept[i] & kPlaceMask;
    const std::uint32_t gap = place - next;
    const std::uint32_t negative = kept[i] >> 15;
    const std::uint32_t is_high = high != 0 && (kept[i] & kHigh) ? 1 : 0;
    next = place + 1;
    const std::uint32_t rest = (gap & rest_mask) | (negative << rice) | (is_high << (rice + 1));
    bits.put_rice(gap >> rice, rest, fixed);
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(is_high ? high_value : low_value);
    const auto value = std::bit_cast<float>(magnitude | (negative << 31));
    chunk[place] -= value;
    if (weights) weights[place] += factor * value;
  }
  out.bits = bits;
}

void Encoder::write_dense(const Scale& scale, std::size_t at, std::span<float> chunk, Output& out) {
  const std::uint32_t mantissa = out.zero ? 0 : mantissa_of(scale.low, out.inverse_unit);
  out.bits.put(mantissa, container::kMantissaBits);
  if (mantissa == 0) return;
  const auto n = static_cast<std::uint32_t>(chunk.size());
  const float step = static_cast<float>(mantissa) * out.unit;
  if (codec_.kind == Kind::ternary) {
    for (std::uint32_t i = 0; i < n; ++i) {
      const bool sent = std::fabs(static_cast<double>(chunk[i])) > scale.high;
      code_[i] = sent ? (chunk[i] < 0 ? -1 : 1) : 0;
    }
    for (std::uint32_t i = 0; i < n; i += 5) {
      std::uint32_t packed = 0;
      for (std::uint32_t j = std::min(i + 5, n); j-- > i;) {
        packed = 3 * packed + static_cast<std::uint32_t>(code_[j] < 0 ? 2 : code_[j]);
      }
      out.bits.put(packed, 8);
    }
  } else {
    const bool nibble = codec_.kind == Kind::int4;
    kernels::quantise(chunk.data(), step, nibble ? 7.0F : 127.0F, code_.data(), n);
    const unsigned width = nibble ? 4 : 8;
    for (std::uint32_t i = 0; i < n; ++i) {
      out.bits.put(static_cast<std::uint32_t>(code_[i]) & ((1u << width) - 1), width);
    }
  }
  float* weights = out.step.weights.empty() ? nullptr : out.step.weights.data() + at;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (code_[i] == 0) continue;
    const float value = static_cast<float>(code_[i]) * step;
    chunk[i] -= value;
    if (weights) weights[i] += out.step.factor * value;
  }
}

Bytes Encoder::finish(const Provenance& provenance, std::span<float> residual, const Step& step) {
  HARAMBEE_CHECK(residual.size() == parameters_);
  HARAMBEE_CHECK(step.weights.empty() || step.weights.size() == parameters_);
  HARAMBEE_CHECK(scales_.size() == (parameters_ + kChunk - 1) / kChunk);
  double largest = 0;
  for (const Scale& scale : scales_) {
    largest = std::max(largest, scale.low);
    if (codec_.kind == Kind::two_level) largest = std::max(largest, scale.high);
  }
  const int exponent = largest > 0 ? exponent_of(largest) : 0;
  const bool zero = largest == 0 || exponent < kExponentMin;
  HARAMBEE_CHECK(exponent <= kExponentMax);

  const unsigned rice = codec_.sparse() ? container::rice_parameter(codec_.keep) : 0;
  Bytes blob = to_bytes(container::kMagic);
  blob.push_back(static_cast<std::uint8_t>(codec_.kind));
  blob.push_back(container::kVersion);
  put_u16le(blob, static_cast<std::uint16_t>(codec_.keep));
  put_u64le(blob, parameters_);
  put_u16le(blob, static_cast<std::uint16_t>(zero ? 0 : exponent));
  put_u16le(blob, 0);
  for (const Digest& named : {provenance.base, provenance.author}) {
    blob.insert(blob.end(), named.bytes.begin(), named.bytes.end());
  }

  blob.reserve(container::kHeaderBytes + scales_.size() * 8 + kept_.size() * (rice + 5) / 8 +
               (codec_.sparse() ? 0 : parameters_));
  Output out{.bits = BitWriter(blob),
             .inverse_unit = zero ? 0 : power_of_two(-exponent),
             .unit = zero ? 0 : static_cast<float>(power_of_two(exponent)),
             .rice = rice,
             .zero = zero,
             .step = step};
  kept_.resize(kept_.size() + codec_.keep);  // for the look ahead
  const std::uint16_t* kept = kept_.data();
  for (std::size_t c = 0; c < scales_.size(); ++c) {
    const std::size_t at = c * kChunk;
    const auto chunk = residual.subspan(at, chunk_length(parameters_, c));
    if (!codec_.sparse()) {
      write_dense(scales_[c], at, chunk, out);
      continue;
    }
    write_sparse(scales_[c], kept, at, chunk, out);
    kept += scales_[c].kept;
  }
  out.bits.finish();
  return blob;
}

Result<Bytes> encode(const Codec& codec, const Provenance& provenance, std::span<float> residual) {
  HARAMBEE_CHECK(float_mode_is_exact());
  if (Status valid = codec.validate(); !valid) return valid.error();
  if (residual.empty() || residual.size() > kParametersMax) {
    return fail(ErrorCode::limit, "residual: 1…2^36 numbers");
  }
  Encoder encoder(codec, residual.size());
  for (std::size_t at = 0; at < residual.size(); at += kChunk) {
    const std::size_t n = std::min<std::size_t>(kChunk, residual.size() - at);
    if (Status added = encoder.add(residual.subspan(at, n)); !added) return added.error();
  }
  return encoder.finish(provenance, residual, {});
}

}  // namespace harambee::exact

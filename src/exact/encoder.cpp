#include "exact/encoder.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "exact/container.h"
#include "exact/kernels.h"
#include "exact/math.h"
#include "exact/rice.h"

namespace harambee::exact {
namespace {

using container::BitWriter;
using container::chunk_length;
using Kind = Codec::Kind;

using rice::kHigh;
using rice::kNegative;
using rice::kPlaceMask;

constexpr std::uint32_t kBitsMax = std::bit_cast<std::uint32_t>(kMagnitudeMax);
// Half an octave up to one eighth: a guess lower by this much finds about 1.5 × keep candidates in
// Gaussian and Laplace data. It changes speed, never the result.
constexpr std::uint32_t kGuessSlack = 1u << 20;
constexpr std::uint32_t kOctave = 1u << 23;

std::uint32_t magnitude_bits(float x) {
  return std::bit_cast<std::uint32_t>(x) & kernels::kMagnitudeBits;
}

// Whether all sums of up to `count` floats with magnitude bits in least…most are doubles exactly:
// they are multiples of the lowest bit of the least, and below count · 2^(top of the most + 1).
bool sums_are_exact(std::uint32_t count, std::uint32_t least, std::uint32_t most) {
  const std::uint32_t low = std::max(least >> 23, 1u), high = std::max(most >> 23, 1u);
  return high - low + 24 + static_cast<std::uint32_t>(std::bit_width(count)) <= 53;
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
    bits_.resize(kChunk + kernels::kPlaceSlack);
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
  tried_ = guess(chunk);
  for (std::uint32_t lower = kGuessSlack;; lower *= 4) {
    std::uint32_t largest = 0;
    found_ = kernels::at_least(chunk.data(), n, tried_, place_.data(), &largest);
    if (found_ >= keep || tried_ == 1) return largest;
    tried_ = tried_ > lower && lower <= 4 * kOctave ? tried_ - lower : 1;
  }
}

// What about `keep` values reach, and some more, if this chunk is like the last one but for its
// size, of which some of its numbers are asked.
std::uint32_t Encoder::guess(std::span<const float> chunk) {
  const auto asked =
      static_cast<std::uint32_t>(std::min<std::size_t>(chunk.size(), 1'024) / 16 * 16);
  const float size = kernels::magnitude_sum(chunk.data(), asked) / static_cast<float>(asked);
  const float ratio = size / size_;
  size_ = size;
  if (threshold_ == 0) return 1;
  // Little differences are those between samples. (No comparison holds for NaN.)
  if (ratio > 0 && ratio < 1e30F && (ratio < 0.9F || ratio > 1.1F)) {
    threshold_ = std::clamp(magnitude_bits(std::bit_cast<float>(threshold_) * ratio), 1u, kBitsMax);
  }
  return threshold_ > kGuessSlack ? threshold_ - kGuessSlack : 1;
}

std::uint32_t Encoder::add_sparse(std::span<const float> chunk, Scale& scale) {
  const std::uint32_t keep = std::min<std::uint32_t>(codec_.keep, chunk.size());
  const std::uint32_t largest = find_candidates(chunk, keep);
  // The next chunk usually follows in memory; let its first half come while this one is ranked.
  for (std::uint32_t i = 0; i < kChunk / 2; i += 16) __builtin_prefetch(chunk.data() + kChunk + i);
  if (largest == 0 || largest >= kBitsMax) return largest;
  for (std::uint32_t i = 0; i < found_; ++i) {
    const auto x = std::bit_cast<std::uint32_t>(chunk[place_[i]]);
    bits_[i] = x & kernels::kMagnitudeBits;
    place_[i] |= (x >> 31) * kNegative;
  }
  // All of them, or as many as there is room for; up to whole vectors with zeros, which never
  // count.
  std::fill_n(bits_.begin() + found_, kernels::kPlaceSlack, 0u);
  ranked_ = (found_ + kernels::kPlaceSlack - 1) / kernels::kPlaceSlack * kernels::kPlaceSlack;
  threshold_ = found_ <= keep ? *std::min_element(bits_.begin(), bits_.begin() + found_)
                              : kernels::threshold_of(bits_.data(), ranked_, keep, tried_, largest);
  keep_largest(keep, sums_are_exact(keep, threshold_, largest), scale);
  if (codec_.kind == Kind::two_level) split_levels(chunk, scale);
  return largest;
}

// Keeps the candidates above the threshold, and those that equal it, lowest place first, until
// `keep` are kept. Their mean is summed in ascending order of places, unless any order will do.
void Encoder::keep_largest(std::uint32_t keep, bool any_order, Scale& scale) {
  const std::uint32_t above = kernels::count_at_least(bits_.data(), ranked_, threshold_ + 1);
  const std::uint32_t reached = kernels::count_at_least(bits_.data(), ranked_, threshold_);
  scale.kept = std::min(reached, keep);
  const std::size_t first = kept_.size();
  kept_.resize(first + found_);
  std::uint16_t* out = kept_.data() + first;
  // No branches: which numbers are kept is beyond prediction.
  std::uint32_t room = scale.kept - above;  // for those that equal the threshold
  if (reached == scale.kept) {
    for (std::uint32_t i = 0; i < found_; ++i) {
      *out = static_cast<std::uint16_t>(place_[i]);
      out += bits_[i] >= threshold_;
    }
  } else {
    for (std::uint32_t i = 0; i < found_; ++i) {
      const std::uint32_t equal = (bits_[i] == threshold_) & (room != 0);
      room -= equal;
      *out = static_cast<std::uint16_t>(place_[i]);
      out += (bits_[i] > threshold_) | equal;
    }
  }
  kept_.resize(first + scale.kept);
  double sum = 0;
  if (any_order) {
    sum = kernels::exact_sum_at_least(bits_.data(), ranked_, threshold_ + 1) +
          (scale.kept - above) * static_cast<double>(std::bit_cast<float>(threshold_));
  } else {
    sum = sum_in_order(scale.kept - above);
  }
  scale.low = sum / scale.kept;
}

// Σ|x| of the candidates above the threshold and of the first `equals` of those that equal it.
double Encoder::sum_in_order(std::uint32_t equals) const {
  double sum = 0;
  for (std::uint32_t i = 0; i < found_; ++i) {
    const bool equal = bits_[i] == threshold_ && equals != 0;
    equals -= equal;
    if (bits_[i] > threshold_ || equal) sum += static_cast<double>(std::bit_cast<float>(bits_[i]));
  }
  return sum;
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

  const rice::Written form{.parameter = out.rice, .two_level = two_level, .one_level = high == 0};
  rice::write_values(out.bits, {kept, scale.kept}, form);

  const float low_value = static_cast<float>(low) * out.unit;
  const float high_value = static_cast<float>(high) * out.unit;
  // By the upper flag; the step of the negative value is the negative step.
  const std::uint32_t value_bits[2] = {
      std::bit_cast<std::uint32_t>(low_value),
      std::bit_cast<std::uint32_t>(high != 0 ? high_value : low_value)};
  const float factor = out.step.factor;
  float* weights = out.step.weights.empty() ? nullptr : out.step.weights.data() + at;
  for (std::uint32_t i = 0; i < scale.kept; ++i) {
    // The next chunk's places lie scattered in memory: ask for them while this chunk is written.
    const std::uint32_t ahead = kChunk + (kept[i + scale.kept] & kPlaceMask);
    __builtin_prefetch(chunk.data() + ahead, 1);
    if (weights) __builtin_prefetch(weights + ahead, 1);
    const std::uint32_t place = kept[i] & kPlaceMask;
    const std::uint32_t negative = kept[i] >> 15;
    const auto value = std::bit_cast<float>(value_bits[(kept[i] / kHigh) & 1] | (negative << 31));
    chunk[place] -= value;
    if (weights) weights[place] += factor * value;
  }
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

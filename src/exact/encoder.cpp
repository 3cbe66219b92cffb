#include "exact/encoder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

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

// Orders by magnitude, and among equals the lower place first, when sorted descending.
std::uint64_t order_key(float x, std::uint32_t place) {
  return (std::uint64_t{magnitude_bits(x)} << 12) | (kChunk - 1 - place);
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
};

Encoder::Encoder(const Codec& codec, std::uint64_t parameters)
    : codec_(codec), parameters_(parameters) {
  HARAMBEE_CHECK(codec.validate().ok() && parameters >= 1 && parameters <= kParametersMax);
  const std::uint64_t chunks = (parameters + kChunk - 1) / kChunk;
  scales_.reserve(chunks);
  if (codec_.sparse()) {
    kept_.reserve(std::min<std::uint64_t>(chunks * codec_.keep, parameters));
    place_.resize(kChunk + kernels::kPlaceSlack);
    order_.resize(kChunk);
  } else {
    code_.resize(kChunk);
  }
}

Status Encoder::add(std::span<const float> chunk) {
  HARAMBEE_CHECK(chunk.size() == chunk_length(parameters_, scales_.size()));
  const std::uint32_t max_bits =
      kernels::max_bits(chunk.data(), static_cast<std::uint32_t>(chunk.size()));
  if (max_bits >= kBitsMax) {
    return fail(ErrorCode::limit, "residual: a number is not finite, or beyond 2^39");
  }
  Scale scale;
  if (max_bits != 0) {
    if (codec_.sparse()) {
      add_sparse(chunk, scale);
    } else {
      add_dense(chunk, max_bits, scale);
    }
  }
  scales_.push_back(scale);
  return ok();
}

// Fills place_ with all places that reach some threshold, at least `keep` of them unless fewer are
// not zero. Which threshold is a guess from the last chunk.
std::uint32_t Encoder::find_candidates(std::span<const float> chunk, std::uint32_t keep) {
  const auto n = static_cast<std::uint32_t>(chunk.size());
  std::uint32_t threshold = std::max(guess_, 1u);
  for (int tries = 0;; ++tries) {
    const std::uint32_t found = kernels::at_least(chunk.data(), n, threshold, place_.data());
    if (found >= keep || threshold == 1) return found;
    threshold = tries < 3 && threshold > 2 * kOctave ? threshold - kOctave : 1;
  }
}

void Encoder::add_sparse(std::span<const float> chunk, Scale& scale) {
  const std::uint32_t keep = std::min<std::uint32_t>(codec_.keep, chunk.size());
  const std::uint32_t found = find_candidates(chunk, keep);
  std::uint64_t least_key = 0;
  if (found > keep) {
    for (std::uint32_t i = 0; i < found; ++i) order_[i] = order_key(chunk[place_[i]], place_[i]);
    const auto nth = order_.begin() + (keep - 1);
    std::nth_element(order_.begin(), nth, order_.begin() + found, std::greater<>());
    least_key = *nth;
  }
  const std::size_t first = kept_.size();
  std::uint32_t least_bits = kernels::kMagnitudeBits;
  double sum = 0;
  for (std::uint32_t i = 0; i < found; ++i) {
    const std::uint32_t place = place_[i];
    const float x = chunk[place];
    if (order_key(x, place) < least_key) continue;
    kept_.push_back(static_cast<std::uint16_t>(place | (x < 0 ? kNegative : 0)));
    sum += std::fabs(static_cast<double>(x));
    least_bits = std::min(least_bits, magnitude_bits(x));
  }
  scale.kept = static_cast<std::uint32_t>(kept_.size() - first);
  scale.low = sum / scale.kept;
  guess_ = least_bits > kGuessSlack ? least_bits - kGuessSlack : 1;
  if (codec_.kind == Kind::two_level) {
    double low = 0, high = 0;
    std::uint32_t highs = 0;
    for (std::size_t i = first; i < kept_.size(); ++i) {
      const double x = std::fabs(static_cast<double>(chunk[kept_[i] & kPlaceMask]));
      if (x > scale.low) {
        kept_[i] |= kHigh;
        high += x;
        ++highs;
      } else {
        low += x;
      }
    }
    if (highs != 0) {
      scale.high = high / highs;
      scale.low = low / (scale.kept - highs);
    }
  }
}

void Encoder::add_dense(std::span<const float> chunk, std::uint32_t max_bits, Scale& scale) const {
  if (codec_.kind == Kind::ternary) {
    // Ternary weight networks (Li et al., arXiv 1605.04711): a threshold at about 0.7 of the mean.
    scale.high = absolute_sum(chunk, -1.0).sum / static_cast<double>(chunk.size()) * 0.75;
    const AbsoluteSum above = absolute_sum(chunk, scale.high);
    scale.low = above.sum / above.count;
  } else {
    const double limit = codec_.kind == Kind::int4 ? 7.0 : 127.0;
    scale.low = static_cast<double>(std::bit_cast<float>(max_bits)) / limit;
  }
}

void Encoder::write_sparse(const Scale& scale, const std::uint16_t* kept, std::span<float> chunk,
                           Output& out) const {
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
  const std::uint32_t rest_mask = (1u << out.rice) - 1;
  std::uint32_t next = 0;
  for (std::uint32_t i = 0; i < scale.kept; ++i) {
    const std::uint32_t place = kept[i] & kPlaceMask;
    const std::uint32_t gap = place - next;
    const std::uint32_t negative = kept[i] >> 15;
    const std::uint32_t is_high = high != 0 && (kept[i] & kHigh) ? 1 : 0;
    next = place + 1;
    out.bits.put_unary(gap >> out.rice);
    const std::uint32_t rest = (gap & rest_mask) | (negative << out.rice);
    out.bits.put(two_level ? rest | (is_high << (out.rice + 1)) : rest,
                 out.rice + (two_level ? 2 : 1));
    const float value = is_high ? high_value : low_value;
    chunk[place] -= negative ? -value : value;
  }
}

void Encoder::write_dense(const Scale& scale, std::span<float> chunk, Output& out) {
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
  for (std::uint32_t i = 0; i < n; ++i) {
    if (code_[i] != 0) chunk[i] -= static_cast<float>(code_[i]) * step;
  }
}

Bytes Encoder::finish(const Digest& base, std::span<float> residual) {
  HARAMBEE_CHECK(residual.size() == parameters_);
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
  blob.reserve(container::kHeaderBytes + scales_.size() * 8 + kept_.size() * (rice + 5) / 8 +
               (codec_.sparse() ? 0 : parameters_));
  blob.push_back(static_cast<std::uint8_t>(codec_.kind));
  blob.push_back(container::kVersion);
  put_u16le(blob, static_cast<std::uint16_t>(codec_.keep));
  put_u64le(blob, parameters_);
  put_u16le(blob, static_cast<std::uint16_t>(zero ? 0 : exponent));
  put_u16le(blob, 0);
  blob.insert(blob.end(), base.bytes.begin(), base.bytes.end());

  Output out{.bits = BitWriter(blob),
             .inverse_unit = zero ? 0 : power_of_two(-exponent),
             .unit = zero ? 0 : static_cast<float>(power_of_two(exponent)),
             .rice = rice,
             .zero = zero};
  const std::uint16_t* kept = kept_.data();
  for (std::size_t c = 0; c < scales_.size(); ++c) {
    const auto chunk = residual.subspan(c * kChunk, chunk_length(parameters_, c));
    if (codec_.sparse()) {
      write_sparse(scales_[c], kept, chunk, out);
      kept += scales_[c].kept;
    } else {
      write_dense(scales_[c], chunk, out);
    }
  }
  out.bits.finish();
  return blob;
}

Result<Bytes> encode(const Codec& codec, const Digest& base, std::span<float> residual) {
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
  return encoder.finish(base, residual);
}

}  // namespace harambee::exact

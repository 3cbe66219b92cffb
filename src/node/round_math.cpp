#include "node/round_math.h"

#include <algorithm>

#include "base/check.h"
#include "exact/aggregate.h"
#include "fold/acts.h"

namespace harambee::node {
namespace {

std::int64_t sum(std::span<const std::int64_t> values) {
  std::int64_t total = 0;
  for (const std::int64_t value : values) total += value;  // |value| ≤ kNanosMax: no overflow
  return total;
}

}  // namespace

Result<exact::Codec> codec_of(const fold::CodecRule& rule) {
  return exact::codec_from_json(Json(
      JsonObject{{"feedback", rule.feedback.str()}, {"keep", rule.keep}, {"name", rule.name}}));
}

Result<Bytes> encode_contribution(const exact::Codec& codec, const exact::Provenance& provenance,
                                  std::span<const float> base_weights,
                                  std::span<const float> trained, std::vector<float>& residual) {
  if (residual.empty()) residual.assign(base_weights.size(), 0.0F);
  exact::accumulate(residual, codec.feedback, base_weights, trained);
  return exact::encode(codec, provenance, residual);
}

float gate_factor(const Decimal& step, const exact::SquaredNorm& norm,
                  const exact::SquaredNorm& median) {
  return static_cast<float>(-(step.to_double() * exact::clip(norm, median)));
}

std::int64_t mean_nanos(std::span<const std::int64_t> losses) {
  HARAMBEE_CHECK(!losses.empty());
  return sum(losses) / static_cast<std::int64_t>(losses.size());
}

std::int64_t gain_nanos(std::span<const std::int64_t> without, std::span<const std::int64_t> with) {
  HARAMBEE_CHECK(!without.empty() && without.size() == with.size());
  const std::int64_t gain = (sum(without) - sum(with)) / static_cast<std::int64_t>(without.size());
  return std::clamp(gain, -fold::kNanosMax, fold::kNanosMax);
}

Gains gains_of(std::span<const std::int64_t> without, std::span<const std::int64_t> with,
               std::size_t rows) {
  HARAMBEE_CHECK(rows > 0 && without.size() == with.size() && with.size() % rows == 0);
  Gains gains;
  gains.all_nanos = gain_nanos(without.first(rows), with.first(rows));
  for (std::size_t at = rows; at < with.size(); at += rows) {
    const std::int64_t gain = gain_nanos(without.subspan(at, rows), with.subspan(at, rows));
    gains.domains_nanos.push_back(std::clamp(gain, -fold::kDomainNanosMax, fold::kDomainNanosMax));
  }
  return gains;
}

Gains worst_gains(std::size_t domains) {
  return {-fold::kNanosMax, std::vector<std::int64_t>(domains, -fold::kDomainNanosMax)};
}

std::string malformed_verdict(const std::string& message) {
  std::string verdict = "malformed: " + message;
  for (char& c : verdict) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (verdict.size() > fold::kReasonBytesMax) verdict.resize(fold::kReasonBytesMax);
  return verdict;
}

}  // namespace harambee::node

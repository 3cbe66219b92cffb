#include "node/closeness.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "fold/audit_acts.h"

namespace harambee::node {
namespace {

constexpr double kBillion = 1e9;

Decimal rounded(double value) { return {std::llround(value * kBillion)}; }

}  // namespace

bool Closeness::near() const { return fold::is_near(cosine, distance); }

Closeness farthest() { return {Decimal{0}, fold::kDistanceMax}; }

Closeness closeness(std::span<const float> told, std::span<const float> made) {
  HARAMBEE_CHECK(told.size() == made.size());
  double dot = 0, told2 = 0, made2 = 0, apart2 = 0;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const double a = told[i], b = made[i];
    dot += a * b;
    told2 += a * a;
    made2 += b * b;
    apart2 += (a - b) * (a - b);
  }
  // Of floats no such sum overflows: it is not finite exactly if one of them was not.
  if (!std::isfinite(apart2)) return farthest();
  if (made2 == 0) return told2 == 0 ? Closeness{rounded(1), Decimal{0}} : farthest();
  const double cosine = told2 == 0 ? 0 : dot / (std::sqrt(told2) * std::sqrt(made2));
  const double most = fold::kDistanceMax.to_double();
  return {rounded(std::clamp(cosine, -1.0, 1.0)),
          rounded(std::min(std::sqrt(apart2 / made2), most))};
}

Closeness worse(const Closeness& one, const Closeness& other) {
  return {std::min(one.cosine, other.cosine), std::max(one.distance, other.distance)};
}

std::vector<float> told_gradient(const AuthorSide& author, const Decimal& feedback) {
  HARAMBEE_CHECK(author.sent.size() == author.after.size());
  HARAMBEE_CHECK(author.before.empty() || author.before.size() == author.after.size());
  const auto beta = static_cast<double>(static_cast<float>(feedback.to_double()));
  std::vector<float> gradient(author.after.size());
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double before = author.before.empty() ? 0.0 : author.before[i];
    gradient[i] = static_cast<float>(double{author.sent[i]} + author.after[i] - beta * before);
  }
  return gradient;
}

Closeness sent_closeness(const AuthorSide& author, const exact::Codec& codec) {
  HARAMBEE_CHECK(author.sent.size() == author.after.size());
  std::vector<float> whole(author.after.size());
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = author.sent[i] + author.after[i];
  const exact::Provenance anybody(Digest{});
  const Result<Bytes> blob = exact::encode(codec, anybody, whole);
  if (!blob) return farthest();
  const auto again = exact::Delta::parse(*blob, whole.size(), codec, anybody);
  HARAMBEE_CHECK(again.ok());  // of what has just been encoded
  return closeness(author.sent, exact::decode(*again));
}

}  // namespace harambee::node

// How near two trainings of the same link came, where bits cannot be compared (spec/audit.md §6).
// Pure: the numbers are an auditor's claim and need not be the same on every machine.
#pragma once

#include <span>
#include <vector>

#include "base/decimal.h"
#include "exact/codec.h"

namespace harambee::node {

struct Closeness {
  Decimal cosine;    // −1 … 1
  Decimal distance;  // ‖told − made‖ / ‖made‖, at most fold::kDistanceMax
  bool operator==(const Closeness&) const = default;

  [[nodiscard]] bool near() const;  // fold::is_near
};

// As far as can be said: of numbers that no training gives.
[[nodiscard]] Closeness farthest();

// Of two vectors of the same length (a bug otherwise). Both zero: the same. `made` alone zero, or a
// number that is not finite: farthest(). `told` alone zero: cosine 0, distance 1.
[[nodiscard]] Closeness closeness(std::span<const float> told, std::span<const float> made);

// The smaller cosine and the larger distance.
[[nodiscard]] Closeness worse(const Closeness& one, const Closeness& other);

// What an author says of one link: the delta that it sent, and its error feedback before (empty:
// all zero) and after. All have the model's length.
struct AuthorSide {
  std::vector<float> sent;
  std::vector<float> before;
  std::vector<float> after;
};

// θ − θ' of the author's training (spec/delta.md §4, backwards): sent + after − β · before.
[[nodiscard]] std::vector<float> told_gradient(const AuthorSide& author, const Decimal& feedback);

// Whether what was sent is what the codec sends of that: sent + after is encoded once more. Without
// this an author could send anything, and account for it in the error feedback after.
[[nodiscard]] Closeness sent_closeness(const AuthorSide& author, const exact::Codec& codec);

}  // namespace harambee::node

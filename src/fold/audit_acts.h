// What is said about training that is done again: audits, the states they start from, disputes
// (spec/audit.md). As acts.h: one struct a kind, its writer and its reader side by side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/result.h"
#include "record/record.h"

namespace harambee::fold {

struct RunState;

// The class whose every result is the same bits everywhere: a difference is a proof of forgery.
inline constexpr std::string_view kExactClass = "exact-1";

// What a link starts from: float32, little-endian; and whatever file the trainer keeps.
inline constexpr std::string_view kErrorFeedbackType = "application/vnd.harambee.error-feedback.v1";
inline constexpr std::string_view kOptimizerType = "application/vnd.harambee.optimizer-state.v1";

enum class AuditResult {
  exact,     // the same bytes
  differs,   // other bytes: in the exact class a proof that anybody can repeat
  near,      // within the tolerance of an inexact class
  far,       // outside of it: a suspicion, never a proof
  withheld,  // the states it starts from cannot be had
};
[[nodiscard]] const char* name(AuditResult result);

// The tolerance of inexact classes. Measured on one machine: honest work in other numeric modes has
// a cosine above 0.999 and a distance up to 0.036 after 30 steps, other data 0.175 and 1.3, a third
// of the steps 0.547 (docs/audits.md has more).
inline constexpr Decimal kNearCosineMin{990'000'000};
inline constexpr Decimal kNearDistanceMax{100'000'000};
inline constexpr Decimal kDistanceMax{1'000'000'000'000};  // 1000 times the honest one: enough said
[[nodiscard]] constexpr bool is_near(const Decimal& cosine, const Decimal& distance) {
  return cosine >= kNearCosineMin && distance <= kNearDistanceMax;
}

// What training one link again gives.
struct Replica {
  std::optional<Digest> delta;           // none: nothing that could be sent
  std::optional<Digest> error_feedback;  // none exactly if there is no delta
  Digest optimizer;
  bool operator==(const Replica&) const = default;
};

// audit: what an auditor found when it trained a contribution again.
struct Audit {
  Digest run;
  std::int64_t round = 0;  // of the contribution
  RecordId contribution;
  AuditResult result = AuditResult::exact;
  std::optional<Replica> made;      // "made"; exactly for exact and differs
  std::optional<Decimal> cosine;    // of the pseudo-gradients; exactly for near and far
  std::optional<Decimal> distance;  // relative L2; exactly for near and far
  bool operator==(const Audit&) const = default;
};
[[nodiscard]] Payload write(const Audit& act);
[[nodiscard]] Result<Audit> parse_audit(const Payload& payload);

// reveal: a contribution's author names the states that its training started from, so that they can
// be uploaded: error feedback, optimizer state, each unless it was fresh; and, for an inexact class
// alone, the error feedback after. Which ones they must be is the fold's to check.
struct Reveal {
  Digest run;
  std::int64_t round = 0;
  RecordId contribution;
  std::vector<BlobRef> states;  // 1 … kRevealedStatesMax
  bool operator==(const Reveal&) const = default;
};
inline constexpr std::size_t kRevealedStatesMax = 3;
[[nodiscard]] Payload write(const Reveal& act);
[[nodiscard]] Result<Reveal> parse_reveal(const Payload& payload);

// dispute: calls all auditors of the run to train a contribution again.
struct Dispute {
  Digest run;
  std::int64_t round = 0;
  RecordId contribution;
};
[[nodiscard]] Payload write(const Dispute& act);
[[nodiscard]] Result<Dispute> parse_dispute(const Payload& payload);
// Why a dispute by this key would change nothing now; none: it would call all auditors
// (spec/audit.md §7).
[[nodiscard]] std::optional<std::string> object_to_dispute(const RunState& run, const KeyId& author,
                                                           const Dispute& act);

}  // namespace harambee::fold

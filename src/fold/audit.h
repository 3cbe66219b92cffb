// Audits as values: which contributions are trained again, who must do it, what they found and what
// followed from it. The rules: spec/audit.md; what moves these values: audit_fold.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/sign.h"
#include "fold/audit_acts.h"
#include "fold/place.h"
#include "fold/recipe.h"

namespace harambee::fold {

// A member's chain of at most so many links is trained again from its fresh start, so that nobody
// has to upload states. For a longer one the author reveals the states before the link.
inline constexpr std::int64_t kChainLinksMax = 4;
// A contribution can be disputed until so many further rounds have closed; its author keeps the
// states before it as long.
inline constexpr std::int64_t kDisputeRounds = 2;
// Credit is settled when so many further rounds have closed: a conviction takes back the rest.
inline constexpr std::int64_t kUnsettledRounds = 16;
// Fewer inner steps tell honest and other work of an inexact class apart too badly (measured: after
// one step honest bf16 classes are at 0.986, after ten above 0.999, other data at 0.17).
inline constexpr std::int64_t kToleranceStepsMin = 10;

enum class AuditPhase {
  reveal,  // the author is to reveal the states before the link
  audit,   // the auditors train it again
  ended,
};
[[nodiscard]] const char* name(AuditPhase phase);

enum class AuditEnd {
  none,       // not ended
  passed,     // who was asked found it exact (or near)
  lapsed,     // nobody answered in time
  withheld,   // the states were not revealed: suspended until they are
  accused,    // somebody found a difference and too few could confirm or refute it: suspended
  undecided,  // the auditors contradict each other without a majority
  cleared,    // a majority of all auditors found it exact: the accusers lied
  convicted,  // a majority of all auditors, at least two, made the same other bytes
};
[[nodiscard]] const char* name(AuditEnd end);

struct AuditAnswer {
  Place place;
  KeyId auditor;
  Audit act;
};

// One contribution that is, or was, trained again. At most one of each contribution; a dispute
// opens it once more.
struct AuditCase {
  Place contribution;
  KeyId author;
  std::int64_t round = 0;
  Place opened;                      // the tick, dispute or audit record that asked for it last
  std::optional<KeyId> disputed_by;  // whoever called all auditors by a dispute
  bool redone = false;               // the accused has had its dispute
  std::vector<KeyId> auditors;       // who is asked, in the draw's or the run record's order
  bool everybody = false;            // all auditors of the run are
  AuditPhase phase = AuditPhase::audit;
  std::uint64_t phase_index = 0;  // entry that began the phase
  std::int64_t phase_ms = 0;      // log time then
  std::vector<BlobRef> states;    // revealed
  std::optional<Place> revealed;
  std::vector<AuditAnswer> answers;  // in log order, one an auditor
  AuditEnd end = AuditEnd::none;
  Place ended;         // the record that ended it; meaningless before
  std::string reason;  // of its end, for people

  [[nodiscard]] bool asks(const KeyId& auditor) const;
  [[nodiscard]] const AuditAnswer* answer_of(const KeyId& auditor) const;
  // Whether the author is suspended because of it.
  [[nodiscard]] bool suspends() const;
};

// An auditor or disputer that later evidence has shown to be wrong: it audits, disputes and scores
// no more.
struct Liar {
  Place by;
  std::string reason;
};

// How long each phase of an audit may take, in log time: the work is one member's inner steps,
// beside an auditor's other work.
[[nodiscard]] std::int64_t audit_patience_ms(const Recipe& recipe);

// ── The draw: pure functions of the log ──

// From the tree root at the first tick after a round's close: nobody knew it when the contributions
// were revealed.
[[nodiscard]] Digest audit_seed(const Digest& log_root);
// A coin for each contribution, with probability `rate` (0 … 1; to a billionth, rounded down).
[[nodiscard]] bool audit_falls_on(const Digest& seed, const RecordId& contribution,
                                  const Decimal& rate);
// `count` of the candidates, the lowest by SHA-256(seed, contribution, key), in that order.
[[nodiscard]] std::vector<KeyId> drawn_auditors(const Digest& seed, const RecordId& contribution,
                                                std::vector<KeyId> candidates, std::size_t count);

}  // namespace harambee::fold

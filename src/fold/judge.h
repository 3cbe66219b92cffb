// What the scores of a round mean: the derived set that a close must equal (spec/run.md §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fold/state.h"

namespace harambee::fold {

struct Verdict {
  RecordId contribution;
  KeyId author;
  bool accepted = false;
  std::string reason;                      // empty if accepted; "withheld", "gain -0.0123", …
  bool well_formed = false;                // more than half of the scores say so
  std::optional<std::int64_t> gain_nanos;  // lower median of those; none if nothing is tried
  std::vector<std::int64_t> domain_gains;  // the same on each guarded domain; else empty
  // The gain that standing goes by: gain_nanos, or what its own domain gains beyond what everything
  // loses. Above 0 of what was accepted, and of what was refused only because it harms a domain or
  // its author is idle. 0 of what was accepted without being tried (Recipe::gated).
  std::int64_t counted_nanos = kUnmeasuredGainNanos;
  std::string squared_norm = "0";  // as the earliest "ok" verdict says
  std::int64_t norm_exponent = 0;
  std::optional<std::int64_t> own_nanos;  // own_data.h
  // The held-out text is for it, but its author seems not to train on its own rows: it is not
  // accepted, and that is held against nobody's streak.
  bool idle = false;
  std::size_t group = 0;       // position of the first accepted one that shares its vote
  std::uint32_t standing = 0;  // cap of its vote in units of 2^-30 (votes.h); 0 unless accepted
};

struct Judgement {
  std::vector<Verdict> verdicts;   // of all contributions, in log order
  std::vector<RecordId> accepted;  // in log order
  // What the votes could have been, in units of 2^-30, had the gate refused nobody (votes.h).
  std::uint64_t possible = 0;
  std::optional<std::int64_t> loss_nanos;  // lower median of the reported losses
  bool mostly_rejected = false;
};

// Of the open round's scores so far. Final when the phase is `closing`.
[[nodiscard]] Judgement derive(const RunState& run);

// The lower median of the losses that the scores report for the round's base; none without scores
// or where none is reported.
[[nodiscard]] std::optional<std::int64_t> reported_loss(const RoundState& round);

// The element at (n − 1) / 2 of the sorted values. Not empty.
[[nodiscard]] std::int64_t lower_median(std::vector<std::int64_t> values);

}  // namespace harambee::fold

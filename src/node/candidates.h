// The contributions of a round in its score phase, from commitments to what their blobs are: what
// everybody who scores does before anything is tried on held-out text. Internal to this room.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fold/acts.h"
#include "node/round_close.h"
#include "node/round_math.h"
#include "node/session.h"
#include "role/validator.h"

namespace harambee::node {

// One contribution on its way to a verdict.
struct Candidate {
  role::validator::ToScore asked;
  std::optional<Bytes> blob;
  Finding found;  // borrows blob
  Gains gains;    // 0 unless it was tried
  std::optional<std::int64_t> own_nanos;
  [[nodiscard]] bool well_formed() const { return found.verdict == fold::kVerdictOk; }
};

[[nodiscard]] std::vector<Candidate> candidates_of(const role::validator::Score& action);

// Whether the round still takes our score.
[[nodiscard]] bool still_wanted(const Session& session, const role::validator::Score& action);

// Waits for the blobs until the reveal deadline in log time. False: the round went on without us,
// or the person has asked to stop.
[[nodiscard]] Result<bool> gather(Session& session, const role::validator::Score& action,
                                  std::vector<Candidate>& candidates);

// Fills in what their bytes show (round_close.h).
[[nodiscard]] Status examine(Session& session, const role::validator::Score& action,
                             std::vector<Candidate>& candidates);

// loss_nanos: of the round's base, in a run that reports it.
[[nodiscard]] fold::Score score_record(const Digest& run, const role::validator::Score& action,
                                       const std::vector<Candidate>& candidates,
                                       const std::optional<std::int64_t>& loss_nanos);

}  // namespace harambee::node

// Going back: when the loss has risen too far, a round ends by a void instead of a close
// (spec/run.md §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/hash.h"
#include "base/result.h"
#include "fold/state.h"
#include "record/record.h"

namespace harambee::fold {

// void: by the coordinator, in place of the close.
struct Void {
  Digest run;
  std::int64_t round = 0;
  Digest weights;                     // the last good ones
  Digest residual;                    // of the way down, with them
  std::optional<BlobRef> checkpoint;  // exactly if Recipe::checkpoint_due; digest == weights
};
[[nodiscard]] Payload write(const Void& act);
[[nodiscard]] Result<Void> parse_void(const Payload& payload);

struct VoidDue {
  std::int64_t loss_nanos = 0;     // of the round's base
  std::int64_t best_nanos = 0;     // the lowest of those before it that count
  Digest weights;                  // to return to: the base of the round before
  std::optional<Digest> residual;  // of the way down then; none: all zero
};
// Whether the open round, whose scores are final, must be voided: its base's reported loss is more
// than judge.void_rise above the lowest of the rounds whose update counts. A round whose update a
// void took back does not: its weights are reported on once more in the round after the void, so a
// loss that a lying majority reported once as too low costs one update and no more.
[[nodiscard]] std::optional<VoidDue> void_due(const RunState& run);
// "the loss rose to 2.95, the best was 2.45".
[[nodiscard]] std::string void_text(const VoidDue& due);

}  // namespace harambee::fold

// The fold: one entry after the other turns into state. Deterministic, total over any record that
// verify() lets through, and cheap (microseconds), so that everybody can replay everything.
#pragma once

#include <cstdint>
#include <string>

#include "fold/state.h"
#include "record/record.h"

namespace harambee::fold {

enum class Effect {
  applied,  // it changed the state, or said what it had to say (tick)
  inert,    // it is in the log and changed nothing; `reason` says why
  // Only a hub that breaks its promises can log this (a gap in an author's chain, time running
  // backwards, a second genesis): the log is invalid from this entry on and the state is as before.
  corrupt,
};

struct Outcome {
  Effect effect = Effect::applied;
  std::string reason;  // empty if applied
};

// Applies the entry with index state.frontier.size(). The caller has verified the record's
// signature with the author's key (state.author(), or its own_key() for its record 0).
// The entry's leaf is appended to the frontier unless the outcome is `corrupt`.
// Not thread-safe: one writer, and no reader meanwhile.
[[nodiscard]] Outcome apply(LogState& state, std::uint64_t index, const Record& record);

// Parses, finds the author's key, verifies and applies the next entry of a log. For whoever has
// bytes: an error (invalid: not canonical, unknown author, bad signature) means that no honest hub
// would have logged them.
[[nodiscard]] Result<Outcome> apply_entry(LogState& state, View envelope);

}  // namespace harambee::fold

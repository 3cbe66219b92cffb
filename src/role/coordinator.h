// The coordinator's mind: it keeps the rounds going and decides nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fold/state.h"
#include "role/tick.h"
#include "role/validator.h"

namespace harambee::role {

struct CoordinatorFacts {
  TickFacts clock = {};
  bool identify_sent = false;
  std::optional<std::int64_t> attempted_round = {};  // the newest round a close was sent for
  std::optional<std::int64_t> scored_round = {};     // the newest one a score was sent for
};

namespace coordinator {

struct Wait {
  std::string why;
};
struct Identify {};
struct ToSum {
  RecordId contribution;
  KeyId author;
  BlobRef delta;
  std::uint32_t standing = 0;  // cap of its vote (fold/votes.h)
  std::uint32_t group = 0;     // index in `accepted` of the first that shares its vote
};
// The update of an earlier round, around which contributions are clipped.
struct Previous {
  BlobRef update;
  Digest base;  // of that round
};
// Aggregate the accepted contributions and send the close record.
struct Close {
  std::int64_t round = 0;
  Digest base;
  std::optional<Digest> residual;  // before; none: all zero
  Digest seed;                     // the round's score seed
  std::vector<ToSum> accepted;     // in log order; may be empty: nothing changes then
  std::uint64_t possible = 0;      // votes that could have been (fold/judge.h)
  std::optional<Previous> previous;
  bool checkpoint_due = false;  // the close must carry the new weights
};
// In a run without held-out text whose coordinator is listed as a validator: say what the blobs
// are. Needs no trainer.
using Score = validator::Score;
// The loss rose too far: send a void record, and nothing is aggregated.
struct GoBack {
  std::int64_t round = 0;
  Digest weights;                  // the base of the round before
  std::optional<Digest> residual;  // none: all zero
  bool checkpoint_due = false;     // the void must carry them
  std::string why;
};
struct AskTick {};  // POST /tick: one would end the current phase
struct Done {};
struct Stranger {};  // another key coordinates this run

using Action = std::variant<Wait, Identify, Score, Close, GoBack, AskTick, Done, Stranger>;

}  // namespace coordinator

[[nodiscard]] coordinator::Action decide_coordinator(const fold::LogState& log,
                                                     const fold::RunState& run, const KeyId& me,
                                                     const CoordinatorFacts& facts);

}  // namespace harambee::role

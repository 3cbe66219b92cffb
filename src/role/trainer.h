// The trainer's mind: what the log wants of this key next. A pure function; the node does it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "fold/state.h"

namespace harambee::role {

// What the log cannot know: things this process has done that are not on the log yet.
struct TrainerFacts {
  bool identify_sent = false;
  bool join_sent = false;
  // The newest round for which a contribution was sent (logged, in flight, or refused).
  std::optional<std::int64_t> attempted_round = {};
  // The newest round whose blob the hub has, as far as we know: whoever has reason to doubt that
  // forgets it, and is told to reveal the blob again while its round is open.
  std::optional<std::int64_t> uploaded_round = {};
  // Contributions whose states before have been uploaded, or are not here any more.
  std::set<RecordId> states_done = {};
  // Contributions of ours for which a dispute was sent.
  std::set<RecordId> disputed = {};
};

namespace trainer {

struct Wait {
  const char* why = "";  // for the person at the machine; a literal
  std::string more = {};
  [[nodiscard]] std::string text() const { return why + more; }
};
struct Identify {};  // send the identity record
struct Join {};      // send the join record
// Train from `base` and send a contribution for `round`.
struct Train {
  std::int64_t round = 0;
  Digest base;  // weights digest to start from
  std::uint64_t ordinal = 0;
  Digest seed;                   // of the data order
  std::int64_t first_step = 0;   // global inner step
  std::int64_t total_steps = 0;  // of the whole run
  // What the contribution's `before` may be, besides null: the log's digests of our own states.
  std::optional<Digest> error_feedback;
  std::optional<Digest> optimizer;
  std::int64_t commit_deadline_ms = 0;  // log time
};
// Upload the blob, unless the hub has it: the commit phase is over, the round is not.
struct Reveal {
  std::int64_t round = 0;
  BlobRef delta;
  std::int64_t deadline_ms = 0;  // log time, after which it may be scored as withheld
};
// Name and upload the states that an audited contribution of ours started from (spec/audit.md §4).
struct RevealStates {
  RecordId contribution;
  std::int64_t round = 0;
  std::optional<Digest> error_feedback;
  std::optional<Digest> optimizer;
  std::optional<Digest> error_feedback_after;  // of an inexact class alone
  bool named = false;                          // the record is on the log: upload
};
// An auditor holds a contribution of ours to be forged and too few have looked: ask them all again.
struct Dispute {
  RecordId contribution;
  std::int64_t round = 0;
};
struct Done {};  // the run is finished
struct Excluded {
  std::string reason;
};

using Action =
    std::variant<Wait, Identify, Join, Train, Reveal, RevealStates, Dispute, Done, Excluded>;

}  // namespace trainer

[[nodiscard]] trainer::Action decide_trainer(const fold::LogState& log, const fold::RunState& run,
                                             const KeyId& me, const TrainerFacts& facts);
// The same for who has looked up member = run.member(me) already.
[[nodiscard]] trainer::Action decide_trainer(const fold::LogState& log, const fold::RunState& run,
                                             const KeyId& me, const fold::Member* member,
                                             const TrainerFacts& facts);

}  // namespace harambee::role

// The validator's mind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fold/state.h"
#include "role/tick.h"

namespace harambee::role {

struct ValidatorFacts {
  TickFacts clock = {};
  bool identify_sent = false;
  std::optional<std::int64_t> attempted_round = {};  // the newest round a score was sent for
};

namespace validator {

struct Wait {
  std::string why;
};
struct Identify {};
struct ToScore {
  RecordId contribution;
  KeyId author;
  BlobRef delta;
  std::string domain = {};  // declared
};
// Fetch, evaluate and send one score record.
struct Score {
  std::int64_t round = 0;
  Digest base;
  Digest seed;                          // of the score rows
  std::vector<ToScore> contributions;   // in log order: the order of the record's entries
  std::int64_t reveal_deadline_ms = 0;  // log time; a blob that is missing then is "withheld"
  std::int64_t score_deadline_ms = 0;   // log time
};
struct AskTick {};  // POST /tick: one would end the current phase
struct Done {};
struct Stranger {};  // the run record does not list this key

using Action = std::variant<Wait, Identify, Score, AskTick, Done, Stranger>;

}  // namespace validator

// The score that a run in its score phase waits for from each of its scorers.
[[nodiscard]] validator::Score score_of_open_round(const fold::RunState& run);

[[nodiscard]] validator::Action decide_validator(const fold::LogState& log,
                                                 const fold::RunState& run, const KeyId& me,
                                                 const ValidatorFacts& facts);

}  // namespace harambee::role

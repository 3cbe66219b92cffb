// What a running role tells the person at the machine. Values only: the command line draws them as
// a progress line, as `--json` lines, or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"

namespace harambee::node {

// How far a role has got and what it has cost. Written to `stats.json` in its directory after
// every round, and handed to the observer with every event.
struct Stats {
  std::uint64_t sent_bytes = 0;           // all of it, on the wire, since the directory was made
  std::uint64_t received_bytes = 0;       // likewise
  std::uint64_t once_received_bytes = 0;  // part of it: data, first weights, log before joining
  std::int64_t rounds = 0;                // contributions, scores or closes that reached the log
  std::int64_t accepted = 0;              // contributions that were accepted
  std::int64_t round = -1;                // the open round, as far as this machine knows
  std::int64_t step = 0;                  // inner steps done in this round
  std::int64_t tokens = 0;                // trained on, all rounds
  std::int64_t tokens_per_second = 0;     // of the last progress line
  std::int64_t loss_nanos = 0;            // last known loss, nano-nats
  std::string state;                      // "training", "waiting for the round to close", …
};

struct Event {
  enum class Kind {
    state,     // the role does something else now: stats.state
    progress,  // one inner step
    round,     // a round ended, or the role's work in it reached the log
    note,      // something a person may want to know: text
  };
  Kind kind = Kind::note;
  std::string text;
  Stats stats;
};

[[nodiscard]] const char* name(Event::Kind kind);
// One line of JSON without the newline: {"event":…,"text":…, all of Stats}.
[[nodiscard]] std::string json_line(const Event& event);

// stats.json. Reading takes what lasts over a restart (bytes, rounds, accepted, tokens); missing
// members are zero.
[[nodiscard]] JsonObject to_json(const Stats& stats);
[[nodiscard]] Stats stats_from_json(const Json& json);

using Observer = std::function<void(const Event&)>;  // called from the role's own thread

}  // namespace harambee::node

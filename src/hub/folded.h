// What the hub knows about what its own log says: the fold's state, and beside it what the fold
// does not keep because no rule needs it. Plain values; threads are log_folder.h's business.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "fold/apply.h"
#include "fold/lineage.h"
#include "fold/repos.h"
#include "fold/state.h"
#include "record/record.h"

namespace harambee::hub {

// One entry as people look at it.
struct Activity {
  fold::Place place;
  std::string kind;
  KeyId author;
  std::optional<RecordId> run;
  std::optional<std::int64_t> round;
  std::int64_t log_ms = 0;
  std::string reason;  // why it changed nothing; empty if it did
};

// A closed round in running sums, so that a picture of a long run costs nothing.
struct RoundSums {
  std::int64_t tokens = 0;      // claimed, of accepted contributions, up to and with this round
  std::int64_t bytes_up = 0;    // of all contributions' blobs, likewise
  std::int64_t bytes_down = 0;  // of the updates that every follower fetches, likewise
};

// A text that the model wrote at a round: where it is on the log.
struct SampleNote {
  std::int64_t round = 0;
  fold::Place place;
  KeyId author;
};

struct RunNotes {
  std::uint64_t changed_size = 0;            // log size after the last record that changed it
  std::int64_t opened_ms = 0;                // log time of the run record
  std::int64_t changed_ms = 0;               // log time of that last record
  std::uint64_t parameters = 0;              // of the model
  std::optional<fold::Parent> parent;        // if it is a fork
  std::vector<RoundSums> sums;               // one a closed round
  std::optional<std::int64_t> loss_first;    // nano-nats, held out: of the weights it began with
  std::optional<std::int64_t> loss_best;     // the smallest of all rounds
  std::optional<std::int64_t> loss_last;     // of the newest round that was scored
  std::map<KeyId, std::int64_t> bytes_sent;  // contributions' blobs by author, closed rounds
  std::vector<SampleNote> samples;           // the first of each round, by round
};

inline constexpr std::size_t kActivityKept = 256;

struct Folded {
  fold::LogState state;
  fold::Repos repos;
  std::vector<RecordId> run_order;  // by log index
  std::map<RecordId, RunNotes> runs;
  std::deque<Activity> activity;  // the newest kActivityKept, ticks left out

  [[nodiscard]] std::uint64_t size() const { return state.frontier.size(); }
};

// The next entry. corrupt: the state is as before.
[[nodiscard]] fold::Outcome fold_entry(Folded& folded, const Record& record);

}  // namespace harambee::hub

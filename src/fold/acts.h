// What each kind of record says: one struct per kind, with its writer and its reader side by side,
// so that a body's fields are named in one room (spec/run.md).
//
// write: a payload with kind, run, round, body and blobs filled in; the sender adds log, author,
// seq and prev. parse: refuses missing, unknown or wrongly typed body members, values outside
// limits, a missing or unexpected run or round, and the wrong number or type of blobs. Whether an
// act is *right* in a state of the log is judged by apply(), not here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "fold/recipe.h"
#include "record/limits.h"
#include "record/record.h"

namespace harambee::fold {

inline constexpr std::string_view kDeltaType = "application/vnd.harambee.delta.v1";
inline constexpr std::string_view kUpdateType = "application/vnd.harambee.update.v1";
inline constexpr std::string_view kWeightsType = "application/vnd.harambee.weights.v1+safetensors";

inline constexpr std::size_t kContributionsPerRoundMax = 128;
inline constexpr std::size_t kValidatorsMax = 64;
inline constexpr std::size_t kNameBytesMax = 63;    // run names, classes and trainer names
inline constexpr std::size_t kReasonBytesMax = 64;  // a validator's reason, printable ASCII
inline constexpr std::size_t kNormDigitsMax = 40;
inline constexpr std::int64_t kNormExponentMax = 4096;
inline constexpr std::int64_t kNanosMax = 1'000'000'000'000;  // |loss| or |gain|: a thousand nats
// Of one domain's gain: what is worse than a hundred nats is no worse in its consequences.
inline constexpr std::int64_t kDomainNanosMax = 99'999'999'999;
inline constexpr std::int64_t kTokensMax = std::int64_t{1} << 48;
inline constexpr std::int64_t kStepsPerRoundMax = 1'000'000;
inline constexpr std::size_t kHubNameBytesMax = 255;
inline constexpr std::size_t kVkeyBytesMax = 512;
inline constexpr std::int64_t kUnixMsMax = std::int64_t{1} << 50;  // past the year 37000
// A full round must fit into one score record and one close record:
// {"domains":[<8 of -99999999999>],"exp":-4096,"gain":-1000000000000,"group":127,"norm":"<40>",
// "own":-99999999999,"v":"ok"}, or one without domains and "own" and a "v" of 64.
inline constexpr std::size_t kScoreEntryBytesMax = 242;
inline constexpr std::size_t kScoreFrameBytesMax = 1792;  // a test measures it
static_assert(kContributionsPerRoundMax * kScoreEntryBytesMax + kScoreFrameBytesMax <=
              kRecordPayloadBytesMax);

// genesis: entry 0, by the hub's key. The origin is the payload's `log`.
struct Genesis {
  PublicKey key;
  std::string name;
  std::int64_t tick_ms = 0;  // the hub promises at most one tick in this time
  std::string vkey;          // the log's verifier key, for checkpoints
};
[[nodiscard]] Payload write(const Genesis& act);
[[nodiscard]] Result<Genesis> parse_genesis(const Payload& payload);

// tick: the log's clock, by the hub.
struct Tick {
  std::int64_t unix_ms = 0;
};
[[nodiscard]] Payload write(const Tick& act);
[[nodiscard]] Result<Tick> parse_tick(const Payload& payload);

// identity: an author's first record.
struct Identity {
  PublicKey key;
};
[[nodiscard]] Payload write(const Identity& act);
[[nodiscard]] Result<Identity> parse_identity(const Payload& payload);

// run: opens a run; the author is its maintainer and the record id is the run's id.
struct OpenRun {
  std::string name;  // 1–63 of [a-z0-9-], not beginning or ending with '-'
  KeyId coordinator;
  std::vector<KeyId> validators;  // 1 … kValidatorsMax, distinct
  Recipe recipe;
  BlobRef data;  // the data manifest (format/data.h)
  // The names of the domains of its held-out files, ascending: the fold reads no blobs. A body
  // without them has no member for them.
  std::vector<std::string> domains = {};
};
[[nodiscard]] Payload write(const OpenRun& act);
[[nodiscard]] Result<OpenRun> parse_open_run(const Payload& payload);

// start: the maintainer's first weights; opens round 0.
struct Start {
  Digest run;
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  std::int64_t tokens = 0;
  BlobRef checkpoint;  // its digest is the weights digest
};
[[nodiscard]] Payload write(const Start& act);
[[nodiscard]] Result<Start> parse_start(const Payload& payload);

struct Join {
  Digest run;
  std::string numeric_class;  // "exact-1": bit-exact; else a slug that names the class
  std::string trainer;        // name of the trainer program, printable ASCII
};
[[nodiscard]] Payload write(const Join& act);
[[nodiscard]] Result<Join> parse_join(const Payload& payload);

struct Leave {
  Digest run;
};
[[nodiscard]] Payload write(const Leave& act);
[[nodiscard]] Result<Leave> parse_leave(const Payload& payload);

// A state digest before and after a contribution; before = null: started afresh.
struct StateStep {
  std::optional<Digest> before;
  Digest after;
  bool operator==(const StateStep&) const = default;
};

// contribution: commits to a blob that is uploaded after the commit phase.
struct Contribution {
  Digest run;
  std::int64_t round = 0;
  Digest base;  // weights digest it was trained from
  std::string numeric_class;
  StateStep error_feedback;  // "ef"
  StateStep optimizer;       // "opt"
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  BlobRef delta;
  std::string domain = {};  // that it was trained for; empty: none, and no member of the body
};
[[nodiscard]] Payload write(const Contribution& act);
[[nodiscard]] Result<Contribution> parse_contribution(const Payload& payload);

inline constexpr std::string_view kVerdictOk = "ok";
inline constexpr std::string_view kVerdictWithheld = "withheld";

// One validator's claim about one contribution: the one at the entry's position in the round. The
// seed commits to the log up to the end of the commit phase, so the order needs no names.
struct ScoreEntry {
  std::int64_t gain_nanos = 0;      // loss without − loss with it; 0 unless measured
  std::string squared_norm = "0";   // decimal digits; value is squared_norm · 2^norm_exponent
  std::int64_t norm_exponent = 0;   // "exp"
  std::string verdict{kVerdictOk};  // "ok", "withheld", "malformed: …" or "norm: …"
  std::int64_t group = 0;           // position of the first contribution that is like this one
  // Gains on the run's guarded domains, in their order; empty, and no member, unless it has any and
  // the verdict is "ok".
  std::vector<std::int64_t> domain_gains = {};
  // The gain on rows that the author was to train on, less that on rows of the same shards that it
  // was not ("own"); none, and no member, if it was not measured.
  std::optional<std::int64_t> own_nanos = {};
  bool operator==(const ScoreEntry&) const = default;
};

struct Score {
  Digest run;
  std::int64_t round = 0;
  Digest base;
  Digest seed;  // RoundState::score_seed
  // Of the base weights on the report rows; none, and no member, in a run without any.
  std::optional<std::int64_t> loss_nanos = {};
  std::vector<ScoreEntry> entries;  // every contribution of the round, in log order
};
[[nodiscard]] Payload write(const Score& act);
[[nodiscard]] Result<Score> parse_score(const Payload& payload);

// close: the coordinator's arithmetic for what the fold derived.
struct Close {
  Digest run;
  std::int64_t round = 0;
  std::vector<RecordId> accepted;  // in log order
  Digest weights;
  Digest residual;                    // of the way down
  std::optional<BlobRef> update;      // exactly if something was accepted
  std::optional<BlobRef> checkpoint;  // exactly if Recipe::checkpoint_due; digest == weights
};
[[nodiscard]] Payload write(const Close& act);
[[nodiscard]] Result<Close> parse_close(const Payload& payload);

}  // namespace harambee::fold

// The state of a log, as values: what apply() builds entry by entry and everything else reads.
// Nothing here knows a clock; log time is the unix_ms of the last tick.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/json.h"
#include "base/sign.h"
#include "fold/acts.h"
#include "fold/audit.h"
#include "fold/baseline.h"
#include "fold/credit.h"
#include "fold/member.h"
#include "fold/place.h"
#include "fold/recipe.h"
#include "log/merkle.h"
#include "record/record.h"

namespace harambee::fold {

inline constexpr std::size_t kRefusalsKept = 256;      // per run, and for the log itself
inline constexpr std::int64_t kRejectedRoundsMax = 6;  // in a row, then the gains decide
// A contribution that could not be evaluated counts as this gain, so that withholding for ever
// has a consequence too, while one lost upload weighs nothing against real gains.
inline constexpr std::int64_t kUnmeasuredGainNanos = -1;

// A logged record that changed nothing, and why.
struct Refusal {
  Place place;
  std::string kind;
  KeyId author;
  std::string reason;
};

struct Author {
  PublicKey key;  // verifies all later records
  std::uint64_t next_seq = 0;
  RecordId last;  // the `prev` of the next record
};

enum class Phase {
  waiting_start,  // for the maintainer's start record
  commit,         // contributions are taken
  score,          // blobs are revealed, validators score
  closing,        // the derived set is final; the coordinator's close is awaited
  finished,
};
[[nodiscard]] const char* name(Phase phase);

// A contribution that was taken in the open round.
struct Committed {
  Place place;
  KeyId author;
  Contribution act;
  std::int64_t links = 0;  // of the chain of states that ends in it; 1: it began afresh
};

struct Scored {
  Place place;
  KeyId validator;
  Score act;
};

// The round that is open. Contributions and scores are in log order.
struct RoundState {
  std::int64_t number = 0;
  std::uint64_t opened_index = 0;    // of the start or close record
  std::int64_t opened_ms = 0;        // log time then
  std::uint64_t phase_index = 0;     // entry that began the phase: opening, tick, tick or score
  std::int64_t phase_ms = 0;         // log time then
  std::optional<Digest> score_seed;  // from the end of the commit phase
  // Expected members (RunState::expects) that have neither committed nor left. Counted at the
  // opening and kept, so that a tick costs nothing however many members there are.
  std::int64_t waiting_for = 0;
  std::vector<KeyId> committee;  // validators drawn to score; empty: all do
  std::vector<KeyId> cohort;     // who was drawn to commit, ascending; empty: everybody may
  std::vector<Committed> contributions;
  std::vector<Scored> scores;
};

// What became of one contribution of a closed round.
struct ClosedContribution {
  Place place;
  KeyId author;
  BlobRef delta;
  bool accepted = false;
  std::string reason;                      // empty if accepted
  std::optional<std::int64_t> gain_nanos;  // median; none if a majority did not evaluate it
  std::int64_t group = 0;                  // position of the first that shares its vote
  std::uint32_t standing = 0;              // cap of its vote in 2^-30 (votes.h); 0 unless accepted
  std::int64_t loss_first_nanos = 0;       // claimed
  std::int64_t loss_last_nanos = 0;
  std::int64_t tokens = 0;
  std::string domain;                      // declared; empty: none
  std::vector<std::int64_t> domain_gains;  // medians, as RunState::guarded(); may be empty
  std::int64_t counted_nanos = 0;          // the gain that counts for standing (judge.h)
  std::optional<std::int64_t> own_nanos;   // own_data.h
  bool idle = false;                       // judge.h
  // What training it again needs.
  std::string numeric_class;
  StateStep error_feedback;
  StateStep optimizer;
  std::int64_t links = 0;
  MicroCredit credit;
  MicroCredit forfeited;  // what a conviction took back; credit is 0 then
};

struct ClosedScore {
  Place place;
  KeyId validator;
  std::optional<std::int64_t> loss_nanos;  // none where none is reported
  MicroCredit credit;
};

struct ClosedRound {
  std::int64_t number = 0;
  std::uint64_t opened_index = 0;
  std::int64_t opened_ms = 0;
  Place close;
  std::int64_t closed_ms = 0;  // log time
  Digest base;
  Digest score_seed;
  std::vector<ClosedContribution> contributions;  // in log order
  std::vector<ClosedScore> scores;                // in log order
  std::vector<KeyId> missed;                      // expected, did not commit
  std::optional<std::int64_t> loss_nanos;         // lower median of the base weights' report loss
  std::uint64_t possible = 0;                     // votes that could have been (judge.h)
  bool voided = false;                            // ended by a void: the weights went back
  bool mostly_rejected = false;                   // more than half: nobody's streak grew
  std::optional<BlobRef> update;
  std::optional<BlobRef> checkpoint;
  Digest weights;   // after the round
  Digest residual;  // after the round
  MicroCredit coordinator_credit;
};

struct RunState {
  RecordId id;
  Place opened;  // the run record
  std::string name;
  KeyId maintainer;
  KeyId coordinator;
  std::vector<KeyId> validators;
  Recipe recipe;
  BlobRef data;
  std::vector<std::string> domains;  // of the held-out text, ascending; empty: none has a name

  Phase phase = Phase::waiting_start;
  std::optional<Start> start;
  Place start_place;                  // meaningless before start
  Digest weights;                     // current; meaningless before start
  std::optional<Digest> residual;     // current; none: all zero
  std::optional<BlobRef> checkpoint;  // the newest, from start or a close
  std::int64_t checkpoint_round = 0;  // the round whose base the newest checkpoint is
  // The lowest reported loss of rounds whose update counts for good: the newest closed round's can
  // still be taken back and is not among them (void_fold.h).
  std::optional<std::int64_t> best_loss_nanos;

  RoundState round;                  // meaningless before start and when finished
  std::vector<KeyId> missed;         // of the open round, known when its commit phase ends
  std::vector<ClosedRound> history;  // history[r].number == r

  Members members;
  std::map<KeyId, MicroCredit> credits;  // all roles together
  MicroCredit distributed;               // the sum of credits, always
  MicroCredit forfeited;                 // what was taken back: the other part of all that was paid
  std::vector<AuditCase> audits;         // in the order of their first opening
  std::vector<std::size_t> open_audits;  // positions of those that have not ended, ascending
  std::size_t audits_drawn = 0;          // closed rounds whose audits have been drawn
  std::map<KeyId, Liar> liars;
  std::vector<LoggedBaseline> baselines;  // in log order; no rule looks at them
  std::deque<Refusal> refusals;           // the newest kRefusalsKept
  std::uint64_t refusals_count = 0;       // ever

  [[nodiscard]] const Member* member(const KeyId& key) const;
  [[nodiscard]] const Committed* contribution_of(const KeyId& author) const;  // in the open round
  // Whether there is one; at once, for who asks of all members.
  [[nodiscard]] bool has_contributed(const Member& member) const {
    return !round.contributions.empty() && member.last_contribution &&
           member.last_contribution->index > round.opened_index;
  }
  [[nodiscard]] const Scored* score_of(const KeyId& validator) const;  // in the open round
  // The domains that no contribution may harm, in the order of a score's gains; empty if
  // judge.guard is off or none has a name.
  [[nodiscard]] std::span<const std::string> guarded() const;
  // Whether the run record lists it and no audit has shown it to lie.
  [[nodiscard]] bool is_validator(const KeyId& key) const;
  // Who audits: the listed validators without those who lied, in the run record's order.
  [[nodiscard]] std::vector<KeyId> acting_validators() const;
  // The audit of this member's contribution; null if there never was one.
  [[nodiscard]] const AuditCase* audit_of(const KeyId& author, const RecordId& contribution) const;
  // A contribution of a closed round.
  [[nodiscard]] const ClosedContribution* closed_contribution(std::int64_t round,
                                                              const RecordId& id) const;
  // Whether a drawn cohort leaves this key out of the open round.
  [[nodiscard]] bool left_out(const KeyId& key) const;
  // Whether the open round has waited past its deadline for too few: whoever comes may commit then.
  [[nodiscard]] bool open_to_all(std::int64_t now_ms) const;
  // Contributions that a round takes.
  [[nodiscard]] std::size_t places() const;
  // Whether one of them is free for this member now: until the deadline, those of expected members
  // that have not contributed are kept for them, except from the drawn.
  [[nodiscard]] bool has_place(const Member& member, std::int64_t now_ms) const;
  // Whether this key's score would be taken: a listed validator that was drawn, if there was a
  // draw; past the score phase's deadline any listed one.
  [[nodiscard]] bool may_score(const KeyId& key, std::int64_t now_ms) const;
  // Validators whose scores the open round waits for: the committee, or all, without those who lied
  // (all others, if that leaves nobody of the committee).
  [[nodiscard]] std::vector<KeyId> scorers() const;
  // Whether the coordinator's program makes the score of this key: it is the coordinator's, and
  // the scores of this run only say what the blobs are, which whoever sums them up knows.
  [[nodiscard]] bool coordinator_scores(const KeyId& key) const;
  // Whether the open round waits for this member: joined before it opened, drawn if there was a
  // draw, active, and did not miss the previous round it was expected in. Meaningful in the commit
  // phase.
  [[nodiscard]] bool expects(const Member& member) const;
  // Whether a tick that says `now_ms` would end the commit or the score phase.
  [[nodiscard]] bool tick_would_advance(std::int64_t now_ms) const;
  // Whether such a tick would let in those whom the draw of the cohort or of the committee left
  // out; `log_ms`: log time now.
  [[nodiscard]] bool tick_would_open(std::int64_t now_ms, std::int64_t log_ms) const;
  // Whether round r + 1 has ended by a void, so that r's update counts no more. r is closed.
  [[nodiscard]] bool undone(std::size_t r) const;
  // Whether the weights at the opening of this round were left by a void, which ended the round.
  [[nodiscard]] bool left_by_void(std::int64_t round) const;
  // The newest closed round before this one that made an update which no void took back; null if
  // there is none.
  [[nodiscard]] const ClosedRound* last_update(std::int64_t before_round) const;
  // The first log time at which the current phase can end by its deadline; none if it has none.
  [[nodiscard]] std::optional<std::int64_t> deadline_ms() const;
};

struct LogState {
  log::Frontier frontier;  // its size is the index of the next entry
  std::string origin;      // empty before genesis
  std::string name;
  std::string vkey;
  KeyId hub;
  std::int64_t tick_ms = 0;                  // promised shortest time between ticks
  std::optional<std::int64_t> last_tick_ms;  // log time; none before the first tick
  std::map<KeyId, Author> authors;
  std::map<RecordId, RunState> runs;
  std::map<std::string, RecordId, std::less<>> names;
  std::deque<Refusal> refusals;  // of records of no known run; the newest kRefusalsKept
  std::uint64_t refusals_count = 0;

  [[nodiscard]] const RunState* run(const RecordId& id) const;
  [[nodiscard]] const RunState* run_named(std::string_view name) const;
  [[nodiscard]] const Author* author(const KeyId& key) const;
  // What an author's next record must say.
  [[nodiscard]] std::uint64_t next_seq(const KeyId& key) const;
  [[nodiscard]] std::optional<RecordId> prev(const KeyId& key) const;
  // 0 before the first tick.
  [[nodiscard]] std::int64_t now_ms() const { return last_tick_ms.value_or(0); }
};

// SHA-256 of a canonical serialisation of everything above: equal exactly for equal states, so two
// programs can compare what they folded. Computed from scratch: linear in the state's size.
[[nodiscard]] Digest state_hash(const LogState& state);
// The serialisation itself, so that two states that differ can be compared by eye.
[[nodiscard]] std::string state_text(const LogState& state);

}  // namespace harambee::fold

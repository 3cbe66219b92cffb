// What a simulation tells: one line an event, which rare branches it reached, what went wrong.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace harambee::sim {

// Rare branches. A seed that reaches none of them has tried little.
enum class Probe : std::uint8_t {
  phase_by_deadline,  // a commit phase ended without everybody
  phase_early,        // … because everybody had committed
  round_full,         // a contribution was refused because the round was full
  late,               // … because it was late
  copied,             // … because it was another's work
  withheld,           // a contribution was accepted by nobody for want of its blob
  malformed,          // … because it was no delta
  gain_rejected,      // … because it did not help
  nothing_accepted,   // a round closed without any
  mostly_rejected,    // more than half of a round was rejected
  missed,             // a member missed a round it was expected in
  excluded,           // somebody was excluded
  fresh_chain,        // a member began a new state chain after it had one
  unknown_kind,       // a kind that nobody knows was logged
  resubmitted,        // a record was sent again and found in the log
  conflict,           // the hub refused a record's place in its author's chain
  overload,           // the hub said 429
  unavailable,        // the hub said 503
  crash,              // a peer's process ended
  crash_with_record,  // … while a record of its was on its way
  resumed,            // … and sent the record after its restart
  dropped_record,     // … and dropped it because its round was over
  coordinator_died,   // the coordinator died in a close
  hub_killed_before,  // the hub died before a durable step
  hub_killed_after,   // the hub died after a durable step
  hub_recovered,      // a restart published what had been committed
  hub_read_only,      // damage was found and said
  repaired,           // an operator put a damaged file right
  old_database,       // an old database beside newer files was found out
  old_backup,         // a whole old copy was served
  shorter_log,        // a peer refused a log shorter than what it had seen
  forked,             // a second log was shown
  equivocation,       // a peer found out
  flipped_blob,       // a changed blob was found by its digest
  censored,           // a record was dropped by the hub
  clock_forward,
  clock_back,
  slept,
  partitioned,
  lie_outvoted,       // a lying validator's verdict did not decide
  silent_validators,  // a score phase ended without all scores
  cohort_drawn,       // a round had more members than places for them
  not_drawn,          // somebody committed or scored without having been drawn
  committee_drawn,    // a round was scored by a part of the validators
  grouped,            // an accepted contribution shared its vote
  small_vote,         // … or had a newcomer's
  audit_passed,       // a contribution was trained again and found exact
  audit_withheld,     // … could not be, for want of its states
  states_revealed,    // its author named the states that it started from
  states_lost,        // … did not have them any more
  accused,            // an audit ended with an accusation that too few confirmed
  cleared,            // … showed that the accusers lied
  convicted,          // … proved a forgery
  liar_found,         // an auditor was found to lie
  colluded,           // attackers chose together what to send
  shown_old,          // an old copy of the hub was shown what it had signed, and stopped
  voided,             // a round ended by a void: the weights went back
  short_step,         // a step was made shorter, to the bound
  wrong_loss,         // a lying validator's loss was the round's
  domain_rejected,    // work was refused because it harms a domain
  domain_served,      // … was accepted because its own domain needs it
  foreign_domain,     // … declared another domain than its shards'
  went_idle,          // an author's work was no better on its own rows, and counts no more
  disputed,           // an accused author asked all auditors
  reported,           // an honest member asked them about a forgery
  slandered,          // an attacker asked them about honest work
  near_enough,        // work of an inexact class was trained again, nearly alike
  too_far,            // … and was something else
};
inline constexpr std::size_t kProbes = 68;
[[nodiscard]] std::string_view name(Probe probe);

struct Summary {
  std::uint64_t seed = 0;
  std::uint64_t events = 0;
  std::uint64_t rounds_closed = 0;
  std::uint64_t records = 0;
  std::uint64_t invariants_checked = 0;
  std::vector<std::string> violations;
  std::array<std::uint64_t, kProbes> probes{};
  std::string faults;
  std::int64_t virtual_ms = 0;
  std::uint64_t queue_most = 0;
  std::uint64_t peer_rounds = 0;      // a member in a round
  std::uint64_t honest_excluded = 0;  // members
  std::int64_t first_loss_nanos = 0;
  std::int64_t last_loss_nanos = 0;
  Digest fingerprint;  // of states, weights and random numbers: equal runs have equal ones
};

class Report {
 public:
  using Line = std::function<void(std::string_view)>;
  explicit Report(Line line) : line_(std::move(line)) {}

  void reached(Probe probe) { ++summary.probes[static_cast<std::size_t>(probe)]; }
  // Counts a check; a false one is a violation, kept with what and when.
  bool check(bool holds, std::string_view invariant, const std::string& what) {
    ++summary.invariants_checked;
    if (!holds) violate(invariant, what);
    return holds;
  }
  void violate(std::string_view invariant, const std::string& what);
  [[nodiscard]] bool logging() const { return static_cast<bool>(line_); }
  // "  12.345 who     text".
  void log(std::string_view who, const std::string& text) const;
  [[nodiscard]] bool failed() const { return !summary.violations.empty(); }

  Summary summary;
  std::int64_t now_ms = 0;

 private:
  Line line_;
};

}  // namespace harambee::sim

#include "sim/report.h"

#include <algorithm>

namespace harambee::sim {
namespace {

constexpr std::size_t kViolationsKept = 20;
constexpr std::array<std::string_view, kProbes> kNames{"phase-by-deadline",
                                                       "phase-early",
                                                       "round-full",
                                                       "late",
                                                       "copied",
                                                       "withheld",
                                                       "malformed",
                                                       "gain-rejected",
                                                       "nothing-accepted",
                                                       "mostly-rejected",
                                                       "missed",
                                                       "excluded",
                                                       "fresh-chain",
                                                       "unknown-kind",
                                                       "resubmitted",
                                                       "conflict",
                                                       "overload",
                                                       "unavailable",
                                                       "crash",
                                                       "crash-with-record",
                                                       "resumed",
                                                       "dropped-record",
                                                       "coordinator-died",
                                                       "hub-killed-before",
                                                       "hub-killed-after",
                                                       "hub-recovered",
                                                       "hub-read-only",
                                                       "repaired",
                                                       "old-database",
                                                       "old-backup",
                                                       "shorter-log",
                                                       "forked",
                                                       "equivocation",
                                                       "flipped-blob",
                                                       "censored",
                                                       "clock-forward",
                                                       "clock-back",
                                                       "slept",
                                                       "partitioned",
                                                       "lie-outvoted",
                                                       "silent-validators",
                                                       "cohort-drawn",
                                                       "not-drawn",
                                                       "committee-drawn",
                                                       "grouped",
                                                       "small-vote",
                                                       "audit-passed",
                                                       "audit-withheld",
                                                       "states-revealed",
                                                       "states-lost",
                                                       "accused",
                                                       "cleared",
                                                       "convicted",
                                                       "liar-found",
                                                       "colluded",
                                                       "shown-old",
                                                       "voided",
                                                       "short-step",
                                                       "wrong-loss",
                                                       "domain-rejected",
                                                       "domain-served",
                                                       "foreign-domain",
                                                       "went-idle",
                                                       "disputed",
                                                       "reported",
                                                       "slandered",
                                                       "near-enough",
                                                       "too-far"};

std::string time_of(std::int64_t ms) {
  std::string part = std::to_string(ms % 1000);
  std::string whole = std::to_string(ms / 1000);
  part.insert(0, 3 - part.size(), '0');
  whole.insert(0, whole.size() < 6 ? 6 - whole.size() : 0, ' ');
  return whole + "." + part;
}

}  // namespace

std::string_view name(Probe probe) { return kNames[static_cast<std::size_t>(probe)]; }

void Report::violate(std::string_view invariant, const std::string& what) {
  log("CHECK", std::string(invariant) + " VIOLATED: " + what);
  if (summary.violations.size() >= kViolationsKept) return;
  std::string when = time_of(now_ms);
  when.erase(0, std::min(when.find_first_not_of(' '), when.size()));
  summary.violations.push_back(std::string(invariant) + " at " + when + " s: " + what);
}

void Report::log(std::string_view who, const std::string& text) const {
  if (!line_) return;
  std::string out = time_of(now_ms) + " " + std::string(who);
  if (who.size() < 7) out.append(7 - who.size(), ' ');
  line_(out + " " + text);
}

}  // namespace harambee::sim

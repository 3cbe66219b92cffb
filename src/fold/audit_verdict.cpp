#include "fold/audit_verdict.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "fold/audit_fold.h"

namespace harambee::fold {

namespace {

std::string short_id(const Digest& digest) { return digest.hex().substr(0, 12); }
std::string entry(const Place& place) { return "entry " + std::to_string(place.index); }

std::string what(const AuditCase& audit) {
  return "its contribution of round " + std::to_string(audit.round) + " (" +
         entry(audit.contribution) + ")";
}

std::string share(std::size_t part, const AuditCase& audit) {
  return std::to_string(part) + " of " + std::to_string(audit.auditors.size()) + " auditors";
}

bool accuses(const AuditAnswer& answer) {
  return answer.act.result == AuditResult::differs || answer.act.result == AuditResult::far;
}

struct Tally {
  std::size_t fine = 0;  // exact or near
  std::size_t withheld = 0;
  std::size_t accusing = 0;
  std::size_t same = 0;  // the largest number that accuse with the same bytes
  std::optional<Replica> forged;
};

Tally tally(const AuditCase& audit) {
  Tally tally;
  for (const AuditAnswer& answer : audit.answers) {
    const AuditResult result = answer.act.result;
    tally.fine += result == AuditResult::exact || result == AuditResult::near ? 1 : 0;
    tally.withheld += result == AuditResult::withheld ? 1 : 0;
    if (!accuses(answer)) continue;
    ++tally.accusing;
    const auto alike = static_cast<std::size_t>(
        std::ranges::count_if(audit.answers, [&answer](const AuditAnswer& other) {
          return accuses(other) && other.act.made == answer.act.made;
        }));
    if (alike <= tally.same) continue;
    tally.same = alike;
    tally.forged = answer.act.made;
  }
  return tally;
}

// Changes something about a member, and keeps the number of those that the round waits for.
template <typename Change>
void change_standing(RunState& run, Member& member, Change&& change) {
  const auto awaited = [&run, &member] {
    return run.phase == Phase::commit && run.expects(member) && !run.has_contributed(member);
  };
  const bool before = awaited();
  change(member);
  run.round.waiting_for += static_cast<int>(awaited()) - static_cast<int>(before);
}

void name_liar(RunState& run, const Context& context, const KeyId& key, std::string reason) {
  // A run without validators could not go on.
  if (run.is_validator(key) && run.acting_validators().size() == 1) return;
  if (!run.liars.try_emplace(key, Liar{context.place, std::move(reason)}).second) return;
  end_score_if_complete(run, context);
}

void forfeit_unsettled(RunState& run, const KeyId& author) {
  if (HARAMBEE_MUTANT("keeps-credit")) return;
  const std::size_t closed = run.history.size();
  const auto unsettled = static_cast<std::size_t>(kUnsettledRounds);
  for (std::size_t i = closed > unsettled ? closed - unsettled : 0; i < closed; ++i) {
    for (ClosedContribution& one : run.history[i].contributions) {
      if (one.author == author) forfeit(run, one);
    }
  }
}

void convict(RunState& run, const Context& context, const AuditCase& audit, const Tally& tally) {
  Member& member = run.members.at(audit.author);
  if (!member.slashed) {
    change_standing(run, member, [&](Member& convicted) {
      convicted.slashed = true;
      convicted.excluded = "convicted of forgery: " + share(tally.same, audit) + " made the same " +
                           "other bytes from " + what(audit);
      convicted.excluded_by = context.place;
    });
    forfeit_unsettled(run, audit.author);
  }
  for (const AuditAnswer& answer : audit.answers) {
    if (accuses(answer) && answer.act.made == tally.forged) continue;
    if (answer.act.result == AuditResult::withheld) continue;
    name_liar(run, context, answer.auditor,
              "its audit at " + entry(answer.place) +
                  " says other than the majority of auditors, " + "who proved the forgery of " +
                  entry(audit.contribution));
  }
}

// Only the exact class can show who lied.
void clear(RunState& run, const Context& context, const AuditCase& audit) {
  for (const AuditAnswer& answer : audit.answers) {
    if (answer.act.result != AuditResult::differs) continue;
    name_liar(run, context, answer.auditor,
              "its audit at " + entry(answer.place) + " accused an honest contribution, " +
                  entry(audit.contribution));
  }
  const bool free = HARAMBEE_MUTANT("free-slander");
  if (audit.disputed_by && *audit.disputed_by != audit.author && !free) {
    name_liar(run, context, *audit.disputed_by,
              "its dispute of " + entry(audit.contribution) + " was groundless");
  }
}

bool exact_class(const RunState& run, const AuditCase& audit) {
  const ClosedContribution* one = run.closed_contribution(audit.round, audit.contribution.id);
  HARAMBEE_CHECK(one != nullptr);
  return one->numeric_class == kExactClass;
}

// Of a case in which all auditors are asked; none: not decided yet.
AuditEnd end_by_everybody(const RunState& run, const AuditCase& audit, const Tally& tally,
                          bool final) {
  const std::size_t asked = audit.auditors.size();
  const bool few = HARAMBEE_MUTANT("one-convicts") && tally.same >= 1;
  if (few || (tally.same >= 2 && 2 * tally.same > asked)) {
    const bool proof = exact_class(run, audit) || HARAMBEE_MUTANT("tolerance-convicts");
    return proof ? AuditEnd::convicted : AuditEnd::accused;
  }
  if (2 * tally.fine > asked) return AuditEnd::cleared;
  if (2 * tally.withheld > asked) return AuditEnd::withheld;
  if (!final) return AuditEnd::none;
  if (tally.accusing == 0) return tally.fine > 0 ? AuditEnd::passed : AuditEnd::lapsed;
  return tally.fine == 0 ? AuditEnd::accused : AuditEnd::undecided;
}

AuditEnd end_by_drawn(const AuditCase& audit, const Tally& tally, bool final) {
  if (2 * tally.withheld > audit.auditors.size()) return AuditEnd::withheld;
  if (!final) return AuditEnd::none;
  return tally.fine > 0 ? AuditEnd::passed : AuditEnd::lapsed;
}

// Of an inexact class nothing is the same, and nothing is proven.
std::string reason_by_tolerance(AuditEnd end, const AuditCase& audit, const Tally& tally) {
  if (end == AuditEnd::accused) {
    return share(tally.accusing, audit) + " came far from it; of an inexact class that is no proof";
  }
  return share(tally.fine, audit) + " trained it again and came near it";
}

std::string reason_of(AuditEnd end, const AuditCase& audit, const Tally& tally) {
  const bool by_tolerance = std::ranges::any_of(
      audit.answers, [](const AuditAnswer& answer) { return answer.act.cosine.has_value(); });
  const bool about_work =
      end == AuditEnd::passed || end == AuditEnd::accused || end == AuditEnd::cleared;
  if (by_tolerance && about_work) return reason_by_tolerance(end, audit, tally);
  switch (end) {
    case AuditEnd::passed:
      return share(tally.fine, audit) + " trained it again and made the same";
    case AuditEnd::lapsed:
      return "no auditor answered in time";
    case AuditEnd::withheld:
      return share(tally.withheld, audit) + " could not have the states that it starts from";
    case AuditEnd::accused:
      return share(tally.accusing, audit) + " made other bytes; too few agree for a proof";
    case AuditEnd::undecided:
      return "the auditors contradict each other";
    case AuditEnd::cleared:
      return share(tally.fine, audit) + " made the same bytes";
    case AuditEnd::convicted:
      return share(tally.same, audit) + " made the same other bytes";
    case AuditEnd::none:
      break;
  }
  HARAMBEE_CHECK(false);
  return "";
}

// Why the author of a case that suspends may not go on, and which record says so.
std::pair<std::string, Place> suspicion(const AuditCase& audit) {
  if (audit.end == AuditEnd::withheld) {
    return {"the states before " + what(audit) + " were not revealed", audit.ended};
  }
  const auto accusing = std::ranges::find_if(audit.answers, accuses);
  HARAMBEE_CHECK(accusing != audit.answers.end());
  const char* found = accusing->act.cosine ? " came far from " : " made other bytes from ";
  return {"auditor " + short_id(accusing->auditor) + found + what(audit), accusing->place};
}

}  // namespace

void refresh_suspension(RunState& run, const KeyId& author) {
  Member* found = run.members.find(author);
  if (!found) return;
  const auto suspending = std::ranges::find_if(
      found->audits, [&run](std::size_t position) { return run.audits[position].suspends(); });
  change_standing(run, *found, [&](Member& member) {
    member.suspended.reset();
    if (suspending == member.audits.end()) return;
    std::tie(member.suspended, member.suspended_by) = suspicion(run.audits[*suspending]);
  });
}

void end_audit(RunState& run, const Context& context, std::size_t position, AuditEnd end,
               std::string reason) {
  AuditCase& audit = run.audits[position];
  HARAMBEE_CHECK(audit.phase != AuditPhase::ended && end != AuditEnd::none);
  audit.phase = AuditPhase::ended;
  audit.phase_index = context.place.index;
  audit.phase_ms = context.now_ms;
  audit.end = end;
  audit.ended = context.place;
  audit.reason = std::move(reason);
  std::erase(run.open_audits, position);
  refresh_suspension(run, audit.author);
}

void decide_audit(RunState& run, const Context& context, std::size_t position, bool late) {
  AuditCase& audit = run.audits[position];
  const Tally counted = tally(audit);
  const bool final = late || audit.answers.size() == audit.auditors.size();
  const AuditEnd end = audit.everybody ? end_by_everybody(run, audit, counted, final)
                                       : end_by_drawn(audit, counted, final);
  if (end == AuditEnd::none) {
    refresh_suspension(run, audit.author);
    return;
  }
  end_audit(run, context, position, end, reason_of(end, audit, counted));
  if (end == AuditEnd::convicted) convict(run, context, audit, counted);
  if (end == AuditEnd::cleared && exact_class(run, audit)) clear(run, context, audit);
}

}  // namespace harambee::fold

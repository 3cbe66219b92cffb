#include "fold/audit_fold.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"
#include "fold/audit_verdict.h"

namespace harambee::fold {

namespace {

bool exact_class(const ClosedContribution& one) { return one.numeric_class == kExactClass; }

// The states that the author of a contribution must reveal, so that it can be trained again.
std::vector<BlobRef> wanted_states(const ClosedContribution& one) {
  std::vector<BlobRef> wanted;
  const auto want = [&wanted](const std::optional<Digest>& digest, std::string_view type) {
    if (digest) wanted.push_back({*digest, 0, std::string(type)});
  };
  if (exact_class(one) && one.links <= kChainLinksMax) return wanted;
  want(one.error_feedback.before, kErrorFeedbackType);
  want(one.optimizer.before, kOptimizerType);
  const bool compared = !exact_class(one) && !HARAMBEE_MUTANT("only-before");
  if (compared) want(one.error_feedback.after, kErrorFeedbackType);
  return wanted;
}

std::vector<KeyId> auditors_of(const RunState& run, const KeyId& author) {
  std::vector<KeyId> auditors = run.acting_validators();
  std::erase(auditors, author);
  return auditors;
}

std::optional<std::size_t> position_of(const RunState& run, const ClosedContribution& one) {
  const AuditCase* audit = run.audit_of(one.author, one.place.id);
  if (!audit) return std::nullopt;
  return static_cast<std::size_t>(audit - run.audits.data());
}

void begin_phase(AuditCase& audit, const Context& context, AuditPhase phase) {
  audit.phase = phase;
  audit.phase_index = context.place.index;
  audit.phase_ms = context.now_ms;
}

// A new case, or the old one of this contribution once more. Returns its position.
std::size_t open_case(RunState& run, const Context& context, std::int64_t round,
                      const ClosedContribution& one) {
  std::optional<std::size_t> position = position_of(run, one);
  if (!position) {
    position = run.audits.size();
    AuditCase made;
    made.contribution = one.place;
    made.author = one.author;
    made.round = round;
    run.audits.push_back(std::move(made));
    run.members.at(one.author).audits.push_back(static_cast<std::uint32_t>(*position));
  }
  AuditCase& audit = run.audits[*position];
  if (audit.phase == AuditPhase::ended || audit.opened.id == RecordId{}) {
    run.open_audits.insert(std::ranges::upper_bound(run.open_audits, *position), *position);
  }
  audit.opened = context.place;
  audit.end = AuditEnd::none;
  audit.reason.clear();
  const bool missing = !wanted_states(one).empty() && !audit.revealed;
  begin_phase(audit, context, missing ? AuditPhase::reveal : AuditPhase::audit);
  return *position;
}

void call_everybody(RunState& run, std::size_t position) {
  AuditCase& audit = run.audits[position];
  audit.everybody = true;
  audit.auditors = auditors_of(run, audit.author);
  // Who has answered is of their number, even if it was found to lie elsewhere since.
  for (const AuditAnswer& answer : audit.answers) {
    if (!audit.asks(answer.auditor)) audit.auditors.push_back(answer.auditor);
  }
}

Objection contribution_objection(const ClosedContribution* one) {
  if (!one) return "no closed round has this contribution";
  if (!one->accepted) return "the contribution was rejected: it moved and earned nothing";
  return std::nullopt;
}

bool recent(const RunState& run, std::int64_t round) {
  return round + kDisputeRounds >= static_cast<std::int64_t>(run.history.size()) - 1;
}

bool matches(const Replica& made, const ClosedContribution& one) {
  return made.delta == one.delta.digest && made.error_feedback == one.error_feedback.after &&
         made.optimizer == one.optimizer.after;
}

Objection result_objection(const Audit& act, const ClosedContribution& one) {
  if (act.result == AuditResult::withheld) return std::nullopt;
  if (exact_class(one) != act.made.has_value()) {
    return std::string("result: ") + name(act.result) + " cannot be said of class " +
           one.numeric_class;
  }
  if (!act.made) return std::nullopt;
  if (matches(*act.made, one) == (act.result == AuditResult::exact)) return std::nullopt;
  return act.result == AuditResult::exact ? "made: not what the contribution committed to"
                                          : "made: just what the contribution committed to";
}

// Nobody asked this auditor for it: it is heard if it brings a proof.
Objection unasked_objection(const Audit& act, const ClosedContribution& one,
                            const AuditCase* audit) {
  if (act.result != AuditResult::differs) return "the author was not asked for this audit";
  const bool ended = audit && audit->phase == AuditPhase::ended;
  if (ended && audit->end != AuditEnd::passed && audit->end != AuditEnd::lapsed) {
    return std::string("this audit has ended: ") + name(audit->end);
  }
  if (wanted_states(one).empty() || (audit && audit->revealed)) return std::nullopt;
  return "the states before it are not revealed";
}

Objection audit_objection(const RunState& run, const KeyId& author, const Audit& act) {
  if (!run.is_validator(author)) return "the author is no auditor of this run";
  const ClosedContribution* one = run.closed_contribution(act.round, act.contribution);
  if (Objection objection = contribution_objection(one)) return objection;
  if (one->author == author) return "nobody audits itself";
  if (Objection objection = result_objection(act, *one)) return objection;
  const AuditCase* audit = run.audit_of(one->author, one->place.id);
  if (audit && audit->answer_of(author)) return "the author has answered already";
  const bool asked = audit && audit->phase != AuditPhase::ended && audit->asks(author);
  if (!asked) return unasked_objection(act, *one, audit);
  if (audit->phase == AuditPhase::reveal) return "the states before it are not revealed yet";
  if (act.result == AuditResult::withheld && !audit->revealed) {
    return "nothing had to be revealed";
  }
  return std::nullopt;
}

}  // namespace

Objection object_to_dispute(const RunState& run, const KeyId& author, const Dispute& act) {
  const ClosedContribution* one = run.closed_contribution(act.round, act.contribution);
  if (Objection objection = contribution_objection(one)) return objection;
  if (auditors_of(run, one->author).empty()) return "the run has no auditor for it";
  const AuditCase* audit = run.audit_of(one->author, one->place.id);
  if (one->author == author) {
    if (!audit || audit->end != AuditEnd::accused) return "nobody holds it against its author";
    if (audit->redone) return "it has been done again already";
    return std::nullopt;
  }
  const bool comparable = exact_class(*one) || run.recipe.inner.steps >= kToleranceStepsMin;
  if (!comparable) {
    return "class " + one->numeric_class + " cannot be compared after so few inner steps";
  }
  if (run.liars.contains(author))
    return "the author was found to lie: " + run.liars.at(author).reason;
  const Member* member = run.member(author);
  const bool established =
      member && member->active() && member->accepted >= run.recipe.judge.newcomer_rounds;
  // An auditor does the work itself and logs what it finds.
  if (!established && !HARAMBEE_MUTANT("strangers-dispute"))
    return "only established members and the accused dispute";
  if (!recent(run, act.round)) return "late: the contribution is too old";
  if (audit && audit->everybody && !HARAMBEE_MUTANT("called-again"))
    return "all auditors have been called already";
  const auto theirs = [&](std::size_t position) {
    return run.audits[position].disputed_by == author;
  };
  if (std::ranges::any_of(run.open_audits, theirs)) return "the author's last dispute is open";
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, const Audit& act) {
  if (Objection objection = audit_objection(run, context.author, act)) return objection;
  const ClosedContribution& one = *run.closed_contribution(act.round, act.contribution);
  std::optional<std::size_t> position = position_of(run, one);
  if (!position || run.audits[*position].phase == AuditPhase::ended) {
    position = open_case(run, context, act.round, one);
  }
  AuditCase& audit = run.audits[*position];
  audit.answers.push_back({context.place, context.author, act});
  const bool accusing = act.result == AuditResult::differs || act.result == AuditResult::far;
  if (accusing && !audit.everybody && !HARAMBEE_MUTANT("nobody-called")) {
    call_everybody(run, *position);
    begin_phase(audit, context, AuditPhase::audit);
  }
  decide_audit(run, context, *position, false);
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, const Reveal& act) {
  const ClosedContribution* one = run.closed_contribution(act.round, act.contribution);
  if (Objection objection = contribution_objection(one)) return objection;
  if (one->author != context.author) return "only its author reveals what it started from";
  const std::optional<std::size_t> position = position_of(run, *one);
  if (!position) return "nobody has asked for these states";
  AuditCase& audit = run.audits[*position];
  const bool late = audit.end == AuditEnd::withheld;
  if (audit.phase != AuditPhase::reveal && !late) return "nobody waits for these states";
  std::vector<BlobRef> named = act.states;
  for (BlobRef& state : named) state.size = 0;
  if (named != wanted_states(*one)) {
    return "blobs: not the states that the contribution committed to";
  }
  if (late) open_case(run, context, act.round, *one);
  // Who could not have them looks again.
  std::erase_if(audit.answers, [](const AuditAnswer& answer) {
    return answer.act.result == AuditResult::withheld;
  });
  audit.states = act.states;
  audit.revealed = context.place;
  begin_phase(audit, context, AuditPhase::audit);
  refresh_suspension(run, audit.author);
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, const Dispute& act) {
  if (Objection objection = object_to_dispute(run, context.author, act)) return objection;
  const ClosedContribution& one = *run.closed_contribution(act.round, act.contribution);
  const std::optional<std::size_t> known = position_of(run, one);
  const bool open = known && run.audits[*known].phase != AuditPhase::ended;
  const std::size_t position = open ? *known : open_case(run, context, act.round, one);
  AuditCase& audit = run.audits[position];
  if (audit.phase == AuditPhase::audit) begin_phase(audit, context, AuditPhase::audit);
  if (one.author == context.author) {
    audit.answers.clear();
    audit.redone = true;
  } else {
    audit.disputed_by = context.author;
  }
  call_everybody(run, position);
  // Those who answered in the first place may be enough.
  decide_audit(run, context, position, false);
  return std::nullopt;
}

void forfeit(RunState& run, ClosedContribution& one) {
  const MicroCredit amount = one.credit;
  one.credit = MicroCredit();
  one.forfeited += amount;
  run.members.at(one.author).credit -= amount;
  if (amount != MicroCredit()) run.credits.at(one.author) -= amount;
  run.distributed -= amount;
  run.forfeited += amount;
}

bool audits_are_due(const RunState& run) {
  return run.audits_drawn < run.history.size() && run.phase != Phase::finished &&
         run.recipe.judge.auditors > 0;
}

void draw_audits(RunState& run, const Context& context, const Digest& log_root) {
  const Digest seed = audit_seed(log_root);
  const JudgeRule& judge = run.recipe.judge;
  for (; run.audits_drawn < run.history.size(); ++run.audits_drawn) {
    const ClosedRound& round = run.history[run.audits_drawn];
    for (const ClosedContribution& one : round.contributions) {
      if (!one.accepted || position_of(run, one)) continue;
      if (!exact_class(one) && run.recipe.inner.steps < kToleranceStepsMin) continue;
      // Its accepted contributions before this one.
      const bool newcomer = run.members.at(one.author).accepted <= judge.newcomer_rounds;
      const Decimal& rate = newcomer ? judge.audit_newcomer : judge.audit;
      if (!audit_falls_on(seed, one.place.id, rate)) continue;
      std::vector<KeyId> drawn = drawn_auditors(seed, one.place.id, auditors_of(run, one.author),
                                                static_cast<std::size_t>(judge.auditors));
      if (drawn.empty()) continue;
      const std::size_t position = open_case(run, context, round.number, one);
      run.audits[position].auditors = std::move(drawn);
    }
  }
}

void expire_audits(RunState& run, const Context& context) {
  const std::int64_t patience = audit_patience_ms(run.recipe);
  const std::vector<std::size_t> open = run.open_audits;  // ending one changes the list
  for (const std::size_t position : open) {
    const AuditCase& audit = run.audits[position];
    if (context.now_ms < audit.phase_ms + patience || HARAMBEE_MUTANT("patient-audits")) continue;
    if (audit.phase == AuditPhase::reveal) {
      end_audit(run, context, position, AuditEnd::withheld,
                "its author did not reveal the states that it starts from");
    } else {
      decide_audit(run, context, position, true);
    }
  }
}

}  // namespace harambee::fold

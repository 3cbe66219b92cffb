#include "role/auditor.h"

#include "base/check.h"

namespace harambee::role {

namespace {

// The exact class needs an exact trainer; of any other we have a program for it, or say nothing.
bool can_repeat(const std::string& numeric_class, const AuditorFacts& facts) {
  if (numeric_class != fold::kExactClass) return facts.inexact.contains(numeric_class);
  return facts.numeric_class == fold::kExactClass || facts.numeric_class.empty();
}

}  // namespace

auditor::Action decide_auditor(const fold::RunState& run, const KeyId& me,
                               const AuditorFacts& facts) {
  using namespace auditor;
  if (!run.is_validator(me)) return Idle{};
  for (const std::size_t position : run.open_audits) {
    const fold::AuditCase& audit = run.audits[position];
    if (audit.phase != fold::AuditPhase::audit || !audit.asks(me) || audit.answer_of(me)) continue;
    if (facts.given_up.contains(audit.contribution.id)) continue;
    const fold::ClosedContribution* one =
        run.closed_contribution(audit.round, audit.contribution.id);
    HARAMBEE_CHECK(one != nullptr);
    if (!can_repeat(one->numeric_class, facts)) continue;
    return Repeat{audit.contribution.id, audit.round,
                  audit.author,          one->numeric_class,
                  audit.states,          audit.phase_ms + fold::audit_patience_ms(run.recipe) / 2};
  }
  return Idle{};
}

}  // namespace harambee::role

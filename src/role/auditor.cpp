#include "role/auditor.h"

#include "base/check.h"

namespace harambee::role {

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
    // Another class's numbers are not ours to judge to the bit.
    const bool ours = one->numeric_class == facts.numeric_class || facts.numeric_class.empty();
    if (!ours) continue;
    return Repeat{audit.contribution.id, audit.round, audit.author, audit.states,
                  audit.phase_ms + fold::audit_patience_ms(run.recipe) / 2};
  }
  return Idle{};
}

}  // namespace harambee::role

#include "node/verify_audits.h"

#include <algorithm>
#include <utility>

namespace harambee::node {
namespace {

bool can_be_checked(const fold::AuditCase& audit) {
  return std::ranges::any_of(
      audit.answers, [](const fold::AuditAnswer& answer) { return answer.act.made.has_value(); });
}

Result<fold::Audit> repeat(const fold::RunState& run, const fold::AuditCase& audit,
                           const RepeatWorld& world) {
  auto made = repeat_contribution(run, audit.round, audit.contribution.id, audit.states, world);
  if (made || made.error().code != ErrorCode::not_found || audit.states.empty()) return made;
  return repeat_contribution(run, audit.round, audit.contribution.id, {}, world);
}

}  // namespace

std::uint64_t audits_to_check(const fold::RunState& run) {
  return static_cast<std::uint64_t>(std::ranges::count_if(run.audits, can_be_checked));
}

Result<AuditsChecked> check_audits(const fold::RunState& run, const RepeatWorld& world,
                                   const std::function<void(std::uint64_t)>& told) {
  AuditsChecked checked;
  for (const fold::AuditCase& audit : run.audits) {
    if (!can_be_checked(audit)) continue;
    const Result<fold::Audit> made = repeat(run, audit, world);
    if (!made) return made.error();
    ++checked.repeated;
    checked.forged += made->result == fold::AuditResult::differs ? 1 : 0;
    for (const fold::AuditAnswer& answer : audit.answers) {
      if (!answer.act.made || answer.act.made == made->made) continue;
      checked.faults.push_back(
          {"run " + run.name + " audit " + answer.place.id.hex() + " (entry " +
               std::to_string(answer.place.index) + ") by " + answer.auditor.hex(),
           std::string("says ") + fold::name(answer.act.result) + " of contribution " +
               audit.contribution.id.hex() + ", but training it again gives " +
               (made->result == answer.act.result ? "other bytes" : fold::name(made->result))});
    }
    if (told) told(checked.repeated);
  }
  return checked;
}

}  // namespace harambee::node

#include "node/verify_audits.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "node/repeat_near.h"

namespace harambee::node {
namespace {

bool can_be_checked(const fold::AuditCase& audit) {
  return std::ranges::any_of(audit.answers, [](const fold::AuditAnswer& answer) {
    return answer.act.made.has_value() || answer.act.cosine.has_value();
  });
}

Result<fold::Audit> repeat(const fold::RunState& run, const fold::AuditCase& audit,
                           const RepeatWorld& world) {
  auto made = repeat_contribution(run, audit.round, audit.contribution.id, audit.states, world);
  if (made || made.error().code != ErrorCode::not_found || audit.states.empty()) return made;
  return repeat_contribution(run, audit.round, audit.contribution.id, {}, world);
}

std::string place_of(const fold::RunState& run, const fold::AuditAnswer& answer) {
  return "run " + run.name + " audit " + answer.place.id.hex() + " (entry " +
         std::to_string(answer.place.index) + ") by " + answer.auditor.hex();
}

std::string said(const fold::AuditCase& audit, const fold::AuditAnswer& answer) {
  return std::string("says ") + fold::name(answer.act.result) + " of contribution " +
         audit.contribution.id.hex() + ", but training it again gives ";
}

Status check_exact(const fold::RunState& run, const fold::AuditCase& audit,
                   const RepeatWorld& world, AuditsChecked& checked) {
  const Result<fold::Audit> made = repeat(run, audit, world);
  if (!made) return made.error();
  ++checked.repeated;
  checked.forged += made->result == fold::AuditResult::differs ? 1 : 0;
  for (const fold::AuditAnswer& answer : audit.answers) {
    if (!answer.act.made || answer.act.made == made->made) continue;
    const bool same = made->result == answer.act.result;
    checked.faults.push_back(
        {place_of(run, answer),
         said(audit, answer) + (same ? "other bytes" : fold::name(made->result))});
  }
  return ok();
}

Status check_near(const fold::RunState& run, const fold::AuditCase& audit, const RepeatWorld& world,
                  AuditsChecked& checked) {
  const Result<fold::Audit> made =
      repeat_nearly(run, audit.round, audit.contribution.id, audit.states, world);
  if (!made) {
    const ErrorCode code = made.error().code;
    if (code == ErrorCode::cancelled || code == ErrorCode::io) return made.error();
    ++checked.unrepeated;
    return ok();
  }
  ++checked.near_or_far;
  checked.near += made->result == fold::AuditResult::near ? 1 : 0;
  for (const fold::AuditAnswer& answer : audit.answers) {
    if (!answer.act.cosine || answer.act.result == made->result) continue;
    checked.disagreements.push_back(
        {place_of(run, answer), said(audit, answer) + fold::name(made->result) + " (cosine " +
                                    made->cosine->str() + ", distance " + made->distance->str() +
                                    ")"});
  }
  return ok();
}

}  // namespace

std::uint64_t audits_to_check(const fold::RunState& run) {
  return static_cast<std::uint64_t>(std::ranges::count_if(run.audits, can_be_checked));
}

Result<AuditsChecked> check_audits(const fold::RunState& run, const WorldOf& world_of,
                                   const std::function<void(std::uint64_t)>& told) {
  AuditsChecked checked;
  std::uint64_t done = 0;
  for (const fold::AuditCase& audit : run.audits) {
    if (!can_be_checked(audit)) continue;
    const auto* one = run.closed_contribution(audit.round, audit.contribution.id);
    HARAMBEE_CHECK(one != nullptr);
    const auto world = world_of(one->numeric_class);
    if (!world) return world.error();
    const bool exact = one->numeric_class == fold::kExactClass;
    if (!*world) {
      ++checked.unrepeated;
    } else if (Status looked = exact ? check_exact(run, audit, **world, checked)
                                     : check_near(run, audit, **world, checked);
               !looked) {
      return looked.error();
    }
    if (told) told(++done);
  }
  return checked;
}

}  // namespace harambee::node

// Who was checked by training it again, and who was found to lie.
#include <vector>

#include "hub/view_parts.h"

namespace harambee::hub {

namespace {

constexpr std::size_t kAuditsShown = 20;

Json decimal_or_null(const std::optional<Decimal>& value) {
  return value ? Json(value->str()) : Json(nullptr);
}

// What each auditor found, in log order; how near it came where bits cannot be compared.
Json found_json(const fold::AuditCase& audit) {
  JsonArray out;
  for (const fold::AuditAnswer& answer : audit.answers) {
    out.push_back(JsonObject{{"auditor", answer.auditor.hex()},
                             {"cosine", decimal_or_null(answer.act.cosine)},
                             {"distance", decimal_or_null(answer.act.distance)},
                             {"id", answer.place.id.hex()},
                             {"index", answer.place.index},
                             {"result", fold::name(answer.act.result)}});
  }
  return out;
}

Json one_audit_json(const fold::AuditCase& audit) {
  const bool ended = audit.phase == fold::AuditPhase::ended;
  return JsonObject{{"answers", audit.answers.size()},
                    {"asked", audit.auditors.size()},
                    {"author", audit.author.hex()},
                    {"disputed", audit.disputed_by.has_value()},
                    {"found", found_json(audit)},
                    {"id", audit.contribution.id.hex()},
                    {"index", audit.contribution.index},
                    {"reason", audit.reason},
                    {"round", audit.round},
                    {"state", ended ? fold::name(audit.end) : fold::name(audit.phase)}};
}

// From where an answer is near, for who reads the numbers.
Json near_json() {
  return JsonObject{{"cosine_min", fold::kNearCosineMin.str()},
                    {"distance_max", fold::kNearDistanceMax.str()}};
}

using Audits = std::vector<const fold::AuditCase*>;  // newest first

Json audits_page(const Audits& audits) {
  JsonArray rows;
  std::int64_t convicted = 0, open = 0, passed = 0;
  for (const fold::AuditCase* audit : audits) {
    if (rows.size() < kAuditsShown) rows.push_back(one_audit_json(*audit));
    convicted += audit->end == fold::AuditEnd::convicted ? 1 : 0;
    open += audit->phase == fold::AuditPhase::ended ? 0 : 1;
    passed += audit->end == fold::AuditEnd::passed ? 1 : 0;
  }
  Json page = page_json(std::move(rows), 0, audits.size());
  page.object()->emplace("convicted", convicted);
  page.object()->emplace("near", near_json());
  page.object()->emplace("open", open);
  page.object()->emplace("passed", passed);
  return page;
}

}  // namespace

Json audits_json(const fold::RunState& run) {
  Audits all;
  for (auto audit = run.audits.rbegin(); audit != run.audits.rend(); ++audit) {
    all.push_back(&*audit);
  }
  return audits_page(all);
}

Json audits_of_json(const fold::RunState& run, const KeyId& author) {
  Audits theirs;
  if (const fold::Member* member = run.member(author)) {
    for (auto at = member->audits.rbegin(); at != member->audits.rend(); ++at) {
      theirs.push_back(&run.audits[*at]);
    }
  }
  return audits_page(theirs);
}

Json audit_json(const fold::RunState& run, const KeyId& author, const RecordId& contribution) {
  const fold::AuditCase* one = run.audit_of(author, contribution);
  return audits_page(one ? Audits{one} : Audits{});
}

Json liars_json(const fold::RunState& run) {
  JsonArray out;
  for (const auto& [key, liar] : run.liars) {
    out.push_back(
        JsonObject{{"by", place_json(liar.by)}, {"key", key.hex()}, {"reason", liar.reason}});
  }
  return out;
}

}  // namespace harambee::hub

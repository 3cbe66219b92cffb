// Who was checked by training it again, and who was found to lie.
#include "hub/view_parts.h"

namespace harambee::hub {

namespace {

constexpr std::size_t kAuditsShown = 20;

Json audit_json(const fold::AuditCase& audit) {
  const bool ended = audit.phase == fold::AuditPhase::ended;
  return JsonObject{{"answers", audit.answers.size()},
                    {"asked", audit.auditors.size()},
                    {"author", audit.author.hex()},
                    {"disputed", audit.disputed_by.has_value()},
                    {"id", audit.contribution.id.hex()},
                    {"index", audit.contribution.index},
                    {"reason", audit.reason},
                    {"round", audit.round},
                    {"state", ended ? fold::name(audit.end) : fold::name(audit.phase)}};
}

}  // namespace

Json audits_json(const fold::RunState& run) {
  JsonArray rows;
  std::int64_t passed = 0;
  std::int64_t convicted = 0;
  for (auto audit = run.audits.rbegin(); audit != run.audits.rend(); ++audit) {
    if (rows.size() < kAuditsShown) rows.push_back(audit_json(*audit));
    passed += audit->end == fold::AuditEnd::passed ? 1 : 0;
    convicted += audit->end == fold::AuditEnd::convicted ? 1 : 0;
  }
  Json page = page_json(std::move(rows), 0, run.audits.size());
  page.object()->emplace("convicted", convicted);
  page.object()->emplace("open", run.open_audits.size());
  page.object()->emplace("passed", passed);
  return page;
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

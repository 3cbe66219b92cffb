// `harambee verify --json`.
#include <nlohmann/json.hpp>

#include "node/verify.h"

namespace harambee::node {
namespace {

nlohmann::json to_json(const VerifiedRun& run) {
  return {{"name", run.name},
          {"run", run.id.hex()},
          {"phase", run.phase},
          {"rounds", run.rounds},
          {"rounds_replayed", run.rounds_replayed},
          {"weights", run.weights.hex()},
          {"withheld", run.withheld},
          {"pending", run.pending}};
}

nlohmann::json to_json(const std::vector<Fault>& faults) {
  nlohmann::json list = nlohmann::json::array();
  for (const Fault& fault : faults) list.push_back({{"place", fault.place}, {"what", fault.what}});
  return list;
}

}  // namespace

std::string to_json(const VerifyReport& report) {
  nlohmann::json runs = nlohmann::json::array();
  for (const VerifiedRun& run : report.runs) runs.push_back(to_json(run));
  nlohmann::json json = {{"event", "verified"},
                         {"verified", report.verified()},
                         {"where", report.where},
                         {"origin", report.origin},
                         {"vkey", report.vkey},
                         {"entries", report.entries},
                         {"inert", report.inert},
                         {"root", report.root.hex()},
                         {"state", report.state.hex()},
                         {"bundles", report.bundles},
                         {"tiles", report.tiles},
                         {"blobs", report.blobs},
                         {"blob_bytes", report.blob_bytes},
                         {"runs", runs},
                         {"repositories",
                          {{"count", report.repos.repositories},
                           {"revisions", report.repos.revisions},
                           {"files", report.repos.files},
                           {"missing", report.repos.missing},
                           {"state", report.repos.state.hex()}}},
                         {"start_retrained", report.start_retrained},
                         {"retrained", report.retrained},
                         {"retrained_exact", report.retrained_exact},
                         {"audits", report.audits},
                         {"audits_forged", report.audits_forged},
                         {"audits_inexact", report.audits_inexact},
                         {"audits_near", report.audits_near},
                         {"audits_unrepeated", report.audits_unrepeated},
                         {"audit_disagreements", to_json(report.disagreements)},
                         {"facts_checked", report.facts_checked},
                         {"rescored", report.rescored},
                         {"rescored_exact", report.rescored_exact},
                         {"samples", report.samples},
                         {"samples_exact", report.samples_exact},
                         {"seconds_log", report.seconds_log},
                         {"seconds_blobs", report.seconds_blobs},
                         {"seconds_weights", report.seconds_weights},
                         {"seconds_retrain", report.seconds_retrain},
                         {"records_per_second_core", report.records_per_second_core},
                         {"faults", to_json(report.faults)},
                         {"faults_count", report.faults_count}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace harambee::node

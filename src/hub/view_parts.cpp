#include "hub/view_parts.h"

#include "fold/votes.h"
#include "hub/views.h"

namespace harambee::hub {

Json number_or_null(const std::optional<std::int64_t>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json place_json(const fold::Place& place) {
  return JsonObject{{"id", place.id.hex()}, {"index", place.index}};
}

Json blob_json(const BlobRef& blob) {
  return JsonObject{{"digest", blob.digest.hex()}, {"size", blob.size}, {"type", blob.type}};
}

Json losses_json(const RunNotes& notes) {
  return JsonObject{{"best_nanos", number_or_null(notes.loss_best)},
                    {"first_nanos", number_or_null(notes.loss_first)},
                    {"last_nanos", number_or_null(notes.loss_last)}};
}

Json parent_json(const Folded& folded, const std::optional<fold::Parent>& parent) {
  if (!parent) return nullptr;
  return JsonObject{{"name", folded.state.run(parent->run)->name},
                    {"rounds", parent->rounds},
                    {"run", parent->run.hex()}};
}

Json contribution_json(const fold::ClosedContribution& one, std::int64_t round) {
  return JsonObject{
      {"accepted", one.accepted},
      {"author", one.author.hex()},
      {"bytes", one.delta.size},
      {"credit_micros", one.credit.micros()},
      {"delta", one.delta.digest.hex()},
      {"domain", one.domain},
      {"domain_gains_nanos", JsonArray(one.domain_gains.begin(), one.domain_gains.end())},
      {"forfeited_micros", one.forfeited.micros()},
      {"gain_nanos", number_or_null(one.gain_nanos)},
      {"group", one.group},
      {"id", one.place.id.hex()},
      {"index", one.place.index},
      {"loss_first_nanos", one.loss_first_nanos},
      {"loss_last_nanos", one.loss_last_nanos},
      {"own_nanos", number_or_null(one.own_nanos)},
      {"reason", one.reason},
      {"round", round},
      {"tokens", one.tokens},
      {"vote_millis", static_cast<std::int64_t>(one.standing) * 1000 /
                          static_cast<std::int64_t>(fold::kFullVote)}};
}

Json activity_json(const Folded& folded, const Activity& activity) {
  const RecordId id =
      activity.kind == "run" ? activity.place.id : activity.run.value_or(RecordId{});
  const fold::RunState* run = folded.state.run(id);
  return JsonObject{
      {"author", activity.author.hex()}, {"id", activity.place.id.hex()},
      {"index", activity.place.index},   {"kind", activity.kind},
      {"log_ms", activity.log_ms},       {"name", run ? Json(run->name) : Json(nullptr)},
      {"reason", activity.reason},       {"round", number_or_null(activity.round)}};
}

Json refusals_json(const fold::RunState& run) {
  JsonArray out;
  for (auto it = run.refusals.rbegin(); it != run.refusals.rend() && out.size() < 20; ++it) {
    out.push_back(JsonObject{{"author", it->author.hex()},
                             {"id", it->place.id.hex()},
                             {"index", it->place.index},
                             {"kind", it->kind},
                             {"reason", it->reason}});
  }
  return out;
}

Json explanation_json(fold::Explanation explanation) {
  const std::uint64_t count = explanation.reasons.size();
  if (count > kReasonsShownMax) {
    explanation.reasons.erase(
        explanation.reasons.begin(),
        explanation.reasons.end() - static_cast<std::ptrdiff_t>(kReasonsShownMax));
  }
  Json out = fold::to_json(explanation);
  out.object()->emplace("reasons_count", count);
  return out;
}

Json page_json(JsonArray rows, std::uint64_t from, std::uint64_t total) {
  return JsonObject{{"from", from}, {"rows", std::move(rows)}, {"total", total}};
}

std::int64_t accepted_count(const fold::ClosedRound& round) {
  std::int64_t accepted = 0;
  for (const fold::ClosedContribution& one : round.contributions) accepted += one.accepted ? 1 : 0;
  return accepted;
}

std::vector<std::size_t> sampled(std::size_t count, std::size_t points) {
  std::vector<std::size_t> out;
  if (count <= points) {
    for (std::size_t i = 0; i < count; ++i) out.push_back(i);
    return out;
  }
  for (std::size_t i = 0; i < points; ++i) out.push_back(i * (count - 1) / (points - 1));
  return out;
}

JsonObject at_view(const Folded& folded) {
  return {{"log_ms", folded.state.now_ms()},
          {"origin", folded.state.origin},
          {"root", folded.state.frontier.root().hex()},
          {"size", folded.size()}};
}

}  // namespace harambee::hub

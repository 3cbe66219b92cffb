// One record: what it says, and what it caused.
#include "hub/view_parts.h"
#include "hub/views.h"

namespace harambee::hub {

namespace {

// What became of an entry, as far as is remembered: reasons are kept for the newest refusals.
struct Effect {
  const char* name = "applied";
  std::string reason;
};

Effect effect_among(const std::deque<fold::Refusal>& refusals, std::uint64_t count,
                    std::uint64_t index) {
  for (const fold::Refusal& refusal : refusals) {
    if (refusal.place.index == index) return {"inert", refusal.reason};
  }
  if (count > refusals.size() && index < refusals.front().place.index) return {"unknown", ""};
  return {};
}

Effect effect_of(const Folded& folded, const fold::RunState* run, std::uint64_t index) {
  if (run) return effect_among(run->refusals, run->refusals_count, index);
  return effect_among(folded.state.refusals, folded.state.refusals_count, index);
}

Json explanation_of(const fold::RunState* run, const Payload& payload, const RecordId& id) {
  if (!run) return nullptr;
  if (payload.kind == "contribution") {
    auto explanation = fold::explain_contribution(*run, id);
    if (explanation) return explanation_json(*std::move(explanation));
  }
  const bool of_round =
      payload.kind == "score" || payload.kind == "close" || payload.kind == "void";
  if (of_round && payload.round) {
    auto explanation = fold::explain_round(*run, *payload.round);
    if (explanation) return explanation_json(*std::move(explanation));
  }
  if (payload.kind == "join" || payload.kind == "leave") {
    auto explanation = fold::explain_peer(*run, payload.author);
    if (explanation) return explanation_json(*std::move(explanation));
  }
  return nullptr;
}

}  // namespace

Json record_view(const Folded& folded, std::uint64_t index, const Unverified& record) {
  const Payload& payload = record.payload();
  const fold::RunState* run = payload.run ? folded.state.run(*payload.run) : nullptr;
  const fold::RunState* opened = payload.kind == "run" ? folded.state.run(record.id()) : nullptr;
  const Effect effect = effect_of(folded, run, index);
  const fold::Author* author = folded.state.author(payload.author);
  const fold::RunState* named = run ? run : opened;
  const bool audited = run && payload.kind == "contribution";
  JsonArray blobs;
  for (const BlobRef& blob : payload.blobs) blobs.push_back(blob_json(blob));
  return JsonObject{
      {"at", at_view(folded)},
      {"audits", audited ? audit_json(*run, payload.author, record.id()) : Json(nullptr)},
      {"author", payload.author.hex()},
      {"author_public_key", author ? Json(hex(author->key.bytes)) : Json(nullptr)},
      {"blobs", std::move(blobs)},
      {"body", payload.body},
      {"effect", effect.name},
      {"envelope", std::string(text(record.envelope()))},
      {"explanation", explanation_of(run, payload, record.id())},
      {"id", record.id().hex()},
      {"index", index},
      {"kind", payload.kind},
      {"name", named ? Json(named->name) : Json(nullptr)},
      {"prev", payload.prev ? Json(payload.prev->hex()) : Json(nullptr)},
      {"reason", effect.reason},
      {"round", number_or_null(payload.round)},
      {"seq", payload.seq}};
}

}  // namespace harambee::hub

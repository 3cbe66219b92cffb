// What a run's model wrote at past rounds.
#include "fold/sample.h"
#include "hub/view_parts.h"
#include "hub/views.h"

namespace harambee::hub {

Result<std::vector<SampleNote>> samples_of(const Folded& folded, std::string_view name) {
  const fold::RunState* run = folded.state.run_named(name);
  if (!run) return fail(ErrorCode::not_found, "no run of that name is on this log");
  return folded.runs.at(run->id).samples;
}

std::vector<SampleNote> samples_to_compare(const std::vector<SampleNote>& all) {
  std::vector<SampleNote> some;
  for (const std::size_t i : sampled(all.size(), kSamplesCompared)) some.push_back(all[i]);
  return some;
}

Result<Json> sample_json(const SampleNote& note, const Unverified& record) {
  const auto act = fold::parse_sample(record.payload());
  if (!act) return act.error();
  JsonArray texts;
  for (const fold::SampleText& one : act->texts) {
    texts.push_back(JsonObject{{"prompt", base64(one.prompt)}, {"text", base64(one.text)}});
  }
  return Json(JsonObject{{"author", note.author.hex()},
                         {"class", act->numeric_class},
                         {"id", note.place.id.hex()},
                         {"index", note.place.index},
                         {"round", note.round},
                         {"seed", act->seed.hex()},
                         {"temperature", act->temperature.str()},
                         {"texts", std::move(texts)},
                         {"weights", act->weights.hex()}});
}

Json samples_view(const Folded& folded, std::string_view name, const std::vector<SampleNote>& all,
                  JsonArray rows) {
  JsonArray rounds;
  for (const std::size_t i : sampled(all.size(), kSeriesPointsMax)) {
    rounds.push_back(all[i].round);
  }
  return JsonObject{{"at", at_view(folded)},
                    {"name", name},
                    {"rounds", std::move(rounds)},
                    {"samples", page_json(std::move(rows), 0, all.size())}};
}

}  // namespace harambee::hub

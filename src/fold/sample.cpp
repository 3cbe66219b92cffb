#include "fold/sample.h"

#include "base/encoding.h"
#include "fold/act_frame.h"
#include "fold/acts.h"
#include "fold/fields.h"

namespace harambee::fold {

namespace {

Bytes read_bytes(Fields& fields, std::string_view key, std::size_t bytes_max) {
  const std::string* text = fields.any(key).string();
  if (!text || text->size() > (bytes_max + 2) / 3 * 4) {
    fields.refuse(key, "must be base64 of at most " + std::to_string(bytes_max) + " bytes");
    return {};
  }
  Result<Bytes> bytes = from_base64(*text);
  if (!bytes || bytes->size() > bytes_max) {
    fields.refuse(key, "must be base64 of at most " + std::to_string(bytes_max) + " bytes");
    return {};
  }
  return *std::move(bytes);
}

SampleText read_text(const Json& json, std::int64_t bytes, Fields& outer) {
  Fields fields(json, "body.texts[]");
  SampleText text;
  text.prompt = read_bytes(fields, "prompt", kSamplePromptBytesMax);
  text.text = read_bytes(fields, "text", kSampleBytesMax);
  if (static_cast<std::int64_t>(text.text.size()) != bytes) {
    fields.refuse("text", "must have as many bytes as the record says");
  }
  if (const Status status = fields.finish(); !status) outer.refuse(status.error());
  return text;
}

}  // namespace

Payload write(const Sample& act) {
  JsonArray texts;
  for (const SampleText& one : act.texts) {
    texts.push_back(JsonObject{{"prompt", base64(one.prompt)}, {"text", base64(one.text)}});
  }
  return frame("sample", act.run, act.round,
               {{"bytes", act.bytes},
                {"class", act.numeric_class},
                {"seed", act.seed.hex()},
                {"temperature", act.temperature.str()},
                {"texts", std::move(texts)},
                {"weights", act.weights.hex()}});
}

Result<Sample> parse_sample(const Payload& payload) {
  if (const Status status = check(payload, "sample", Belongs::to_round, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Sample act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.bytes = fields.integer("bytes", 1, kSampleBytesMax);
  act.numeric_class = fields.slug("class", kNameBytesMax);
  act.seed = fields.digest("seed");
  act.temperature = fields.decimal("temperature", Decimal{0}, kSampleTemperatureMax);
  for (const Json& text : fields.array("texts", kSampleTextsMax)) {
    act.texts.push_back(read_text(text, act.bytes, fields));
  }
  if (act.texts.empty()) fields.refuse("texts", "must not be empty");
  act.weights = fields.digest("weights");
  return finish(fields, std::move(act));
}

Digest sample_seed(const Digest& run) { return sha256({view("harambee sample v1\n"), run.view()}); }

std::optional<Digest> weights_after(const RunState& run, std::int64_t rounds) {
  if (!run.start || rounds < 0) return std::nullopt;
  if (rounds == 0) return run.start->checkpoint.digest;
  const auto count = static_cast<std::uint64_t>(rounds);
  if (count > run.history.size()) return std::nullopt;
  return run.history[count - 1].weights;
}

std::optional<std::string> object_to_sample(const RunState& run, const KeyId& author,
                                            const Sample& act) {
  if (author != run.coordinator && !run.is_validator(author)) {
    return "only the coordinator and the validators put samples on the log";
  }
  if (act.seed != sample_seed(run.id)) return "seed: must be the run's own";
  const std::optional<Digest> weights = weights_after(run, act.round);
  if (!weights) return "round: the run has not come so far";
  if (act.weights != *weights) return "weights: not those of that round";
  return std::nullopt;
}

}  // namespace harambee::fold

#include "fold/acts.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/encoding.h"
#include "fold/act_frame.h"
#include "fold/fields.h"
#include "format/data.h"

namespace harambee::fold {

namespace {

// What a validator may find besides "ok" and "withheld": each goes on with a reason.
constexpr std::string_view kFindings[] = {"malformed: ", "norm: "};

Json json_of(const std::optional<Digest>& digest) {
  return digest ? Json(digest->hex()) : Json(nullptr);
}

// A pair [first, second] under `key`, or null with the refusal noted.
const JsonArray* read_pair(Fields& fields, std::string_view key) {
  const JsonArray& pair = fields.array(key, 2);
  if (pair.size() == 2) return &pair;
  fields.refuse(key, "must be an array of two");
  return nullptr;
}

StateStep read_step(Fields& fields, std::string_view key) {
  const JsonArray* pair = read_pair(fields, key);
  if (!pair) return {};
  const Json members = JsonObject{{"before", (*pair)[0]}, {"after", (*pair)[1]}};
  Fields reader(members, std::string(key));
  StateStep step;
  step.before = reader.digest_or_null("before");
  step.after = reader.digest("after");
  if (const Status status = reader.finish(); !status) fields.refuse(status.error());
  return step;
}

Json json_of(const StateStep& step) {
  return JsonArray{json_of(step.before), Json(step.after.hex())};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= kNormDigitsMax && (text == "0" || text.front() != '0') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_verdict(std::string_view text) {
  if (text == kVerdictOk || text == kVerdictWithheld) return true;
  return is_plain(text, kReasonBytesMax) &&
         std::ranges::any_of(kFindings, [text](std::string_view finding) {
           return text.starts_with(finding) && text.size() > finding.size();
         });
}

std::int64_t read_loss(const Json& json, Fields& fields) {
  const std::int64_t* nanos = json.integer();
  if (nanos && *nanos >= 0 && *nanos <= kNanosMax) return *nanos;
  fields.refuse("loss", "must be two integers between 0 and " + std::to_string(kNanosMax));
  return 0;
}

std::vector<std::int64_t> read_domain_gains(Fields& fields) {
  std::vector<std::int64_t> gains;
  for (const Json& item : fields.array("domains", format::kDomainsMax)) {
    const std::int64_t* nanos = item.integer();
    if (!nanos || *nanos < -kDomainNanosMax || *nanos > kDomainNanosMax) {
      fields.refuse("domains", "must be integers within ±" + std::to_string(kDomainNanosMax));
      return {};
    }
    gains.push_back(*nanos);
  }
  if (gains.empty()) fields.refuse("domains", "must not be empty");
  return gains;
}

// Names of domains, ascending.
std::vector<std::string> read_domains(Fields& fields) {
  std::vector<std::string> names;
  for (const Json& item : fields.array("domains", format::kDomainsMax)) {
    const std::string* name = item.string();
    if (!name || !format::is_domain_name(*name) || (!names.empty() && *name <= names.back())) {
      fields.refuse("domains", "must be ascending names of 1 to 31 of a-z, 0-9 and inner '-'");
      return {};
    }
    names.push_back(*name);
  }
  if (names.empty()) fields.refuse("domains", "must not be empty");
  return names;
}

Result<ScoreEntry> read_entry(const Json& json) {
  Fields fields(json, "body.entries");
  ScoreEntry entry;
  entry.norm_exponent = fields.integer("exp", -kNormExponentMax, kNormExponentMax);
  entry.gain_nanos = fields.integer("gain", -kNanosMax, kNanosMax);
  entry.group = fields.integer("group", 0, kContributionsPerRoundMax - 1);
  entry.squared_norm = fields.plain("norm", kNormDigitsMax);
  entry.verdict = fields.plain("v", kReasonBytesMax);
  if (json.find("domains")) entry.domain_gains = read_domain_gains(fields);
  if (json.find("own")) entry.own_nanos = fields.integer("own", -kDomainNanosMax, kDomainNanosMax);
  if (!is_digits(entry.squared_norm)) fields.refuse("norm", "must be decimal digits");
  if (!is_verdict(entry.verdict)) {
    fields.refuse("v", "must be \"ok\", \"withheld\", \"malformed: …\" or \"norm: …\"");
  }
  if (entry.verdict != kVerdictOk && entry.gain_nanos != 0) {
    fields.refuse("gain", "must be 0 for what was not evaluated");
  }
  if (entry.verdict != kVerdictOk && !entry.domain_gains.empty()) {
    fields.refuse("domains", "must not be there for what was not evaluated");
  }
  if (entry.verdict != kVerdictOk && entry.own_nanos) {
    fields.refuse("own", "must not be there for what was not evaluated");
  }
  return finish(fields, std::move(entry));
}

// Groups are named by their first contribution, and only what is well-formed is in one.
bool groups_are_named(const std::vector<ScoreEntry>& entries) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto first = static_cast<std::size_t>(entries[i].group);
    if (first == i) continue;
    if (first > i || entries[first].group != entries[i].group) return false;
    if (entries[i].verdict != kVerdictOk || entries[first].verdict != kVerdictOk) return false;
  }
  return true;
}

}  // namespace

Payload write(const Genesis& act) {
  return frame("genesis", {{"key", hex(act.key.bytes)},
                           {"name", act.name},
                           {"previous", nullptr},
                           {"tick_ms", act.tick_ms},
                           {"vkey", act.vkey}});
}

Result<Genesis> parse_genesis(const Payload& payload) {
  if (const Status status = check(payload, "genesis", Belongs::to_log, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Genesis act;
  act.key = fields.public_key("key");
  act.name = fields.plain("name", kHubNameBytesMax);
  if (!fields.any("previous").is_null()) {
    fields.refuse("previous", "must be null: continuing another log is not in version 1");
  }
  act.tick_ms = fields.integer("tick_ms", 1, kPhaseMsMax);
  act.vkey = fields.plain("vkey", kVkeyBytesMax);
  return finish(fields, std::move(act));
}

Payload write(const Tick& act) { return frame("tick", {{"unix_ms", act.unix_ms}}); }

Result<Tick> parse_tick(const Payload& payload) {
  if (const Status status = check(payload, "tick", Belongs::to_log, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Tick act;
  act.unix_ms = fields.integer("unix_ms", 0, kUnixMsMax);
  return finish(fields, std::move(act));
}

Payload write(const Identity& act) { return frame("identity", {{"key", hex(act.key.bytes)}}); }

Result<Identity> parse_identity(const Payload& payload) {
  if (const Status status = check(payload, "identity", Belongs::to_log, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Identity act;
  act.key = fields.public_key("key");
  return finish(fields, std::move(act));
}

Payload write(const OpenRun& act) {
  JsonArray validators;
  for (const KeyId& validator : act.validators) validators.push_back(validator.hex());
  JsonObject body{{"coordinator", act.coordinator.hex()},
                  {"name", act.name},
                  {"recipe", to_json(act.recipe)},
                  {"validators", std::move(validators)}};
  if (!act.domains.empty()) {
    body.emplace("domains", JsonArray(act.domains.begin(), act.domains.end()));
  }
  Payload payload = frame("run", std::move(body));
  payload.blobs = {act.data};
  return payload;
}

Result<OpenRun> parse_open_run(const Payload& payload) {
  if (const Status status = check(payload, "run", Belongs::to_log, {format::kDataManifestType});
      !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  OpenRun act;
  act.coordinator = fields.digest("coordinator");
  if (payload.body.find("domains")) act.domains = read_domains(fields);
  act.name = fields.slug("name", kNameBytesMax);
  for (const Json& item : fields.array("validators", kValidatorsMax)) {
    const std::string* written = item.string();
    const Result<Digest> key = written ? Digest::from_hex(*written) : invalid("not a string");
    if (!key) {
      fields.refuse("validators", "must be key ids of 64 lower-case hex digits");
      break;
    }
    act.validators.push_back(*key);
  }
  if (act.validators.empty()) fields.refuse("validators", "must not be empty");
  if (std::set(act.validators.begin(), act.validators.end()).size() != act.validators.size()) {
    fields.refuse("validators", "must be distinct");
  }
  const Json& recipe_json = fields.any("recipe");
  if (!fields.failed()) {
    Result<Recipe> recipe = recipe_from_json(recipe_json);
    if (recipe) {
      act.recipe = std::move(*recipe);
    } else {
      fields.refuse(recipe.error());
    }
  }
  if (const Status status = fields.finish(); !status) return status.error();
  act.data = payload.blobs[0];
  return act;
}

Payload write(const Start& act) {
  Payload payload = frame("start", act.run,
                          {{"loss_first", act.loss_first_nanos},
                           {"loss_last", act.loss_last_nanos},
                           {"tokens", act.tokens},
                           {"weights", act.checkpoint.digest.hex()}});
  payload.blobs = {act.checkpoint};
  return payload;
}

Result<Start> parse_start(const Payload& payload) {
  if (const Status status = check(payload, "start", Belongs::to_run, {kWeightsType}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Start act;
  act.run = *payload.run;
  act.loss_first_nanos = fields.integer("loss_first", 0, kNanosMax);
  act.loss_last_nanos = fields.integer("loss_last", 0, kNanosMax);
  act.tokens = fields.integer("tokens", 0, kTokensMax);
  act.checkpoint = payload.blobs[0];
  if (fields.digest("weights") != act.checkpoint.digest) {
    fields.refuse("weights", "must be the digest of the checkpoint blob");
  }
  return finish(fields, std::move(act));
}

Payload write(const Join& act) {
  return frame("join", act.run, {{"class", act.numeric_class}, {"trainer", act.trainer}});
}

Result<Join> parse_join(const Payload& payload) {
  if (const Status status = check(payload, "join", Belongs::to_run, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Join act;
  act.run = *payload.run;
  act.numeric_class = fields.slug("class", kNameBytesMax);
  act.trainer = fields.plain("trainer", kNameBytesMax);
  return finish(fields, std::move(act));
}

Payload write(const Leave& act) { return frame("leave", act.run, {}); }

Result<Leave> parse_leave(const Payload& payload) {
  if (const Status status = check(payload, "leave", Belongs::to_run, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  return finish(fields, Leave{*payload.run});
}

Payload write(const Contribution& act) {
  JsonObject body{{"base", act.base.hex()},
                  {"class", act.numeric_class},
                  {"ef", json_of(act.error_feedback)},
                  {"loss", JsonArray{Json(act.loss_first_nanos), Json(act.loss_last_nanos)}},
                  {"opt", json_of(act.optimizer)},
                  {"steps", act.steps},
                  {"tokens", act.tokens}};
  if (!act.domain.empty()) body.emplace("domain", act.domain);
  Payload payload = frame("contribution", act.run, act.round, std::move(body));
  payload.blobs = {act.delta};
  return payload;
}

Result<Contribution> parse_contribution(const Payload& payload) {
  if (const Status status = check(payload, "contribution", Belongs::to_round, {kDeltaType});
      !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Contribution act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.base = fields.digest("base");
  act.numeric_class = fields.slug("class", kNameBytesMax);
  if (payload.body.find("domain")) {
    act.domain = fields.slug("domain", format::kDomainNameBytesMax);
  }
  act.error_feedback = read_step(fields, "ef");
  if (const JsonArray* loss = read_pair(fields, "loss")) {
    act.loss_first_nanos = read_loss((*loss)[0], fields);
    act.loss_last_nanos = read_loss((*loss)[1], fields);
  }
  act.optimizer = read_step(fields, "opt");
  act.steps = fields.integer("steps", 1, kStepsPerRoundMax);
  act.tokens = fields.integer("tokens", 1, kTokensMax);
  act.delta = payload.blobs[0];
  return finish(fields, std::move(act));
}

Payload write(const Score& act) {
  JsonArray entries;
  for (const ScoreEntry& entry : act.entries) {
    JsonObject one{{"exp", entry.norm_exponent},
                   {"gain", entry.gain_nanos},
                   {"group", entry.group},
                   {"norm", entry.squared_norm},
                   {"v", entry.verdict}};
    if (!entry.domain_gains.empty()) {
      one.emplace("domains", JsonArray(entry.domain_gains.begin(), entry.domain_gains.end()));
    }
    if (entry.own_nanos) one.emplace("own", *entry.own_nanos);
    entries.push_back(std::move(one));
  }
  JsonObject body{
      {"base", act.base.hex()}, {"entries", std::move(entries)}, {"seed", act.seed.hex()}};
  if (act.loss_nanos) body.emplace("loss", *act.loss_nanos);
  return frame("score", act.run, act.round, std::move(body));
}

Result<Score> parse_score(const Payload& payload) {
  if (const Status status = check(payload, "score", Belongs::to_round, {}); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Score act;
  act.run = *payload.run;
  act.round = *payload.round;
  act.base = fields.digest("base");
  for (const Json& item : fields.array("entries", kContributionsPerRoundMax)) {
    Result<ScoreEntry> entry = read_entry(item);
    if (!entry) return entry.error();
    act.entries.push_back(std::move(*entry));
  }
  if (!groups_are_named(act.entries)) {
    fields.refuse("entries", "group: must be the position of the first of those that are alike");
  }
  if (payload.body.find("loss")) act.loss_nanos = fields.integer("loss", 0, kNanosMax);
  act.seed = fields.digest("seed");
  return finish(fields, std::move(act));
}

Payload write(const Close& act) {
  JsonArray accepted;
  for (const RecordId& id : act.accepted) accepted.push_back(id.hex());
  Payload payload = frame("close", act.run, act.round,
                          {{"accepted", std::move(accepted)},
                           {"residual", act.residual.hex()},
                           {"weights", act.weights.hex()}});
  if (act.update) payload.blobs.push_back(*act.update);
  if (act.checkpoint) payload.blobs.push_back(*act.checkpoint);
  return payload;
}

Result<Close> parse_close(const Payload& payload) {
  if (const Status status = check_frame(payload, "close", Belongs::to_round); !status) {
    return status.error();
  }
  Fields fields(payload.body, "body");
  Close act;
  act.run = *payload.run;
  act.round = *payload.round;
  for (const Json& item : fields.array("accepted", kContributionsPerRoundMax)) {
    const std::string* written = item.string();
    const Result<Digest> id = written ? Digest::from_hex(*written) : invalid("not a string");
    if (!id) {
      fields.refuse("accepted", "must be record ids of 64 lower-case hex digits");
      break;
    }
    act.accepted.push_back(*id);
  }
  act.residual = fields.digest("residual");
  act.weights = fields.digest("weights");
  if (const Status status = fields.finish(); !status) return status.error();
  for (const BlobRef& blob : payload.blobs) {
    if (blob.size == 0) return invalid("blobs: an empty blob");
    if (blob.type == kUpdateType && !act.update && !act.checkpoint) {
      act.update = blob;
    } else if (blob.type == kWeightsType && !act.checkpoint) {
      act.checkpoint = blob;
    } else {
      return invalid("blobs: must be at most one update and then at most one checkpoint");
    }
  }
  if (act.checkpoint && act.checkpoint->digest != act.weights) {
    return invalid("body.weights: must be the digest of the checkpoint blob");
  }
  return act;
}

}  // namespace harambee::fold

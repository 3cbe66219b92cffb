// Bytes from a stranger become the body of a record that is really signed and really applied:
// there is no second door into the fold. Nothing may crash, hash unstably, or make credit.
//
// Input: one byte chooses the kind and the round field, one the author, the rest is the body.
// A body that is no canonical JSON object is taken as the changes to a well-formed record:
// pairs of (which byte of its text, what to write there).
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "fold/apply.h"
#include "fold/baseline.h"
#include "fold/explain.h"
#include "fold/judge.h"
#include "fold/sample.h"
#include "fold/status.h"
#include "fold/void_fold.h"
#include "format/data.h"
#include "record/build.h"

namespace {

using namespace harambee;
using namespace harambee::fold;

SecretKey key_of(const std::string& who) { return SecretKey::from_seed(sha256(view(who)).bytes); }

const SecretKey& person(std::size_t i) {
  static const std::vector<SecretKey> kPeople = {key_of("hub"), key_of("maintainer"),
                                                 key_of("t1"),  key_of("t2"),
                                                 key_of("v1"),  key_of("stranger")};
  return kPeople[i % kPeople.size()];
}

Outcome say(LogState& state, const SecretKey& key, Payload payload) {
  payload.log = "fuzz.test/log";
  payload.author = key.id();
  payload.seq = state.next_seq(key.id());
  payload.prev = state.prev(key.id());
  const Result<Bytes> entry = sign_record(payload, key);
  if (!entry) return {Effect::corrupt, entry.error().message};
  const Result<Outcome> outcome = apply_entry(state, *entry);
  HARAMBEE_CHECK(outcome.ok());  // it is well signed
  return *outcome;
}

BlobRef blob(std::string_view type) { return {sha256(view(type)), 100, std::string(type)}; }

Contribution contribution(const RunState& run) {
  Contribution act;
  act.run = run.id;
  act.round = run.round.number;
  act.base = run.weights;
  act.numeric_class = "exact-1";
  act.error_feedback.after = run.id;
  act.optimizer.after = run.id;
  act.steps = 5;
  act.tokens = 2560;
  act.delta = {sha256(view("delta " + std::to_string(run.round.contributions.size()))), 100,
               std::string(kDeltaType)};
  return act;
}

Score score(const RunState& run, std::int64_t loss_nanos = 0) {
  Score act;
  act.run = run.id;
  act.round = run.round.number;
  act.base = run.weights;
  act.seed = run.round.score_seed.value_or(Digest{});
  act.loss_nanos = loss_nanos;
  for (std::size_t i = 0; i < run.round.contributions.size(); ++i) {
    act.entries.push_back({5, "9", 0, "ok", static_cast<std::int64_t>(act.entries.size())});
  }
  return act;
}

Close close(const RunState& run) {
  Close act;
  act.run = run.id;
  act.round = run.round.number;
  act.accepted = derive(run).accepted;
  act.weights = run.id;
  act.residual = run.id;
  act.update = blob(kUpdateType);
  return act;
}

Void go_back(const RunState& run) {
  Void act{run.id, run.round.number, run.weights, run.id, {}};
  if (const auto due = void_due(run)) act.weights = due->weights;
  return act;
}

// A log in the commit phase (stage 0), score phase (1) or closing phase (2) of round 0, or in the
// closing phase of a round that must be voided (3).
LogState prepared(int stage) {
  LogState state;
  const SecretKey& hub = person(0);
  HARAMBEE_CHECK(
      say(state, hub, write(Genesis{hub.public_key(), "hub", 1000, "v"})).reason.empty());
  (void)say(state, hub, write(Tick{1'000'000}));
  for (std::size_t i = 1; i < 6; ++i) {
    (void)say(state, person(i), write(Identity{person(i).public_key()}));
  }
  OpenRun open;
  open.name = "demo";
  open.coordinator = person(1).id();
  open.validators = {person(4).id()};
  open.recipe = default_recipe();
  open.data = blob(format::kDataManifestType);
  HARAMBEE_CHECK(say(state, person(1), write(open)).reason.empty());
  const RecordId id = state.names.at("demo");
  const RunState& run = state.runs.at(id);
  (void)say(state, person(2), write(Join{id, "exact-1", "t"}));
  (void)say(state, person(3), write(Join{id, "exact-1", "t"}));
  (void)say(state, person(1), write(Start{id, 1, 1, 1, blob(kWeightsType)}));
  if (stage == 0) return state;
  (void)say(state, person(2), write(contribution(run)));
  (void)say(state, person(3), write(contribution(run)));
  (void)say(state, hub, write(Tick{1'001'000}));
  HARAMBEE_CHECK(run.phase == Phase::score);
  if (stage == 1) return state;
  (void)say(state, person(4), write(score(run)));
  HARAMBEE_CHECK(run.phase == Phase::closing);
  if (stage == 2) return state;
  HARAMBEE_CHECK(say(state, person(1), write(close(run))).reason.empty());
  (void)say(state, person(2), write(contribution(run)));
  (void)say(state, person(3), write(contribution(run)));
  (void)say(state, hub, write(Tick{1'002'000}));
  (void)say(state, person(4), write(score(run, 900'000'000)));
  HARAMBEE_CHECK(void_due(run).has_value());
  return state;
}

const LogState& base_state(std::size_t stage) {
  static const std::vector<LogState> kStates = {prepared(0), prepared(1), prepared(2), prepared(3)};
  return kStates[stage % kStates.size()];
}

// A record that would be applied, before the input spoils it.
Payload well_formed(const RunState& run, std::size_t kind) {
  OpenRun open{"second", person(1).id(), {person(4).id()}, run.recipe, run.data};
  switch (kind % 12) {
    case 0:
      return write(contribution(run));
    case 1:
      return write(score(run));
    case 2:
      return write(close(run));
    case 3:
      return write(Join{run.id, "exact-1", "t"});
    case 4:
      return write(Leave{run.id});
    case 5:
      return write(Start{run.id, 1, 1, 1, blob(kWeightsType)});
    case 6:
      return write(open);
    case 7:
      return write(Tick{1'003'000});
    case 8:
      return write(Sample{run.id,
                          0,
                          run.weights,
                          "exact-1",
                          sample_seed(run.id),
                          Decimal{0},
                          2,
                          {{{}, to_bytes("ab")}}});
    case 9:
      return write(go_back(run));
    case 10:
      return write(Baseline{run.id, "alone", BaselineOver::tokens, {{1, 2}, {3, 1}}});
    default: {
      Payload payload;
      payload.kind = "sing";
      return payload;
    }
  }
}

void spoil(Payload& payload, View input) {
  const Result<Json> whole = parse_canonical(input);
  if (whole && whole->object()) {
    payload.body = *whole;
    return;
  }
  std::string body = write(payload.body);
  for (std::size_t i = 0; i + 1 < input.size(); i += 2) {
    body[input[i] * 7 % body.size()] = static_cast<char>(input[i + 1]);
  }
  const Result<Json> spoilt = parse_canonical(view(body));
  if (spoilt && spoilt->object()) payload.body = *spoilt;
}

void check(const LogState& state) {
  for (const auto& [id, run] : state.runs) {
    MicroCredit sum;
    for (const auto& [key, amount] : run.credits) sum += amount;
    HARAMBEE_CHECK(sum == run.distributed);
    const std::string status = write(status_json(state, run));
    HARAMBEE_CHECK(parse_canonical(view(status)).ok());
    for (std::size_t i = 0; i < 6; ++i) {
      const Result<Explanation> peer = explain_peer(run, person(i).id());
      if (peer) HARAMBEE_CHECK(parse_canonical(view(write(to_json(*peer)))).ok());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  LogState state = base_state(data[0]);
  const Digest before = state_hash(state);
  const RunState& run = state.runs.begin()->second;
  Payload payload = well_formed(run, data[1]);
  if ((data[2] & 0x80) != 0 && payload.run) payload.round = data[2] & 0x07;
  spoil(payload, {data + 3, size - 3});
  const Outcome outcome = say(state, person(data[2] & 0x0f), std::move(payload));
  if (outcome.effect == Effect::corrupt) {
    HARAMBEE_CHECK(state_hash(state) == before);
  } else {
    HARAMBEE_CHECK(state_hash(state) != before);
  }
  HARAMBEE_CHECK((outcome.effect == Effect::applied) == outcome.reason.empty());
  check(state);
  return 0;
}

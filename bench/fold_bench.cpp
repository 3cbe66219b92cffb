// What replaying a log costs: entries whose signatures are checked already (apply), and from bytes
// (apply_entry: parse, verify, apply). One run with 64 members and 3 validators.
#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "fold/apply.h"
#include "fold/judge.h"
#include "format/data.h"
#include "record/build.h"

namespace {

using namespace harambee;
using namespace harambee::fold;

constexpr int kMembers = 64;
constexpr int kRounds = 20;

struct Written {
  LogState state;
  std::vector<Bytes> entries;
  std::map<std::string, SecretKey> keys;

  const SecretKey& key(const std::string& who) {
    const auto it = keys.find(who);
    if (it != keys.end()) return it->second;
    return keys.emplace(who, SecretKey::from_seed(sha256(view(who)).bytes)).first->second;
  }
  void say(const std::string& who, Payload payload) {
    const KeyId author = key(who).id();
    const bool first = payload.kind == "genesis" || payload.kind == "identity";
    if (!first && !state.author(author)) say(who, write(Identity{key(who).public_key()}));
    payload.log = "bench.test/log";
    payload.author = author;
    payload.seq = state.next_seq(author);
    payload.prev = state.prev(author);
    entries.push_back(*sign_record(payload, key(who)));
    const Outcome outcome = *apply_entry(state, entries.back());
    HARAMBEE_CHECK(outcome.effect == Effect::applied);
  }
};

BlobRef blob(std::string_view type) { return {sha256(view(type)), 100, std::string(type)}; }

void play_round(Written& log, const RunState& run) {
  for (int i = 0; i < kMembers; ++i) {
    const std::string who = "t" + std::to_string(i);
    Contribution act;
    act.run = run.id;
    act.round = run.round.number;
    act.base = run.weights;
    act.numeric_class = "exact-1";
    act.error_feedback.after = act.optimizer.after = sha256(view(who));
    act.steps = 5;
    act.tokens = 2560;
    act.delta = blob(kDeltaType);
    log.say(who, write(act));
  }
  log.say("hub", write(Tick{log.state.now_ms() + 1000}));
  for (const char* who : {"v0", "v1", "v2"}) {
    Score act{run.id, run.round.number, run.weights, *run.round.score_seed, 1, {}};
    for (std::size_t i = 0; i < run.round.contributions.size(); ++i) {
      act.entries.push_back(
          {5, "123456789012", 0, "ok", static_cast<std::int64_t>(act.entries.size())});
    }
    log.say(who, write(act));
  }
  Close close;
  close.run = run.id;
  close.round = run.round.number;
  close.accepted = derive(run).accepted;
  close.weights = sha256(run.weights.view());
  close.residual = close.weights;
  close.update = blob(kUpdateType);
  log.say("coordinator", write(close));
}

const Written& written() {
  static const Written kLog = [] {
    Written log;
    log.say("hub", write(Genesis{log.key("hub").public_key(), "hub", 1000, "v"}));
    log.say("hub", write(Tick{1'000'000}));
    OpenRun open;
    open.name = "bench";
    open.coordinator = log.key("coordinator").id();
    for (const char* who : {"v0", "v1", "v2"}) open.validators.push_back(log.key(who).id());
    open.recipe = default_recipe();
    open.recipe.checkpoint_every = open.recipe.rounds = 1000;
    open.data = blob(format::kDataManifestType);
    log.say("maintainer", write(open));
    const RunState& run = log.state.runs.begin()->second;
    for (int i = 0; i < kMembers; ++i) {
      log.say("t" + std::to_string(i), write(Join{run.id, "exact-1", "t"}));
    }
    log.say("maintainer", write(Start{run.id, 1, 1, 1, blob(kWeightsType)}));
    for (int round = 0; round < kRounds; ++round) play_round(log, run);
    return log;
  }();
  return kLog;
}

std::vector<Record> verified() {
  LogState state;
  std::vector<Record> records;
  for (const Bytes& entry : written().entries) {
    const Unverified one = *parse_envelope(entry);
    const Author* author = state.author(one.payload().author);
    records.push_back(*one.verify(author ? author->key : *one.own_key()));
    (void)apply(state, records.size() - 1, records.back());
  }
  return records;
}

void apply_verified(benchmark::State& bench) {
  const std::vector<Record> records = verified();
  for (auto _ : bench) {
    LogState state;
    for (std::size_t i = 0; i < records.size(); ++i) {
      benchmark::DoNotOptimize(apply(state, i, records[i]));
    }
  }
  bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(records.size()));
}
BENCHMARK(apply_verified)->Unit(benchmark::kMillisecond);

void apply_bytes(benchmark::State& bench) {
  for (auto _ : bench) {
    LogState state;
    for (const Bytes& entry : written().entries) {
      benchmark::DoNotOptimize(apply_entry(state, entry));
    }
  }
  const auto entries = static_cast<std::int64_t>(written().entries.size());
  bench.SetItemsProcessed(bench.iterations() * entries);
}
BENCHMARK(apply_bytes)->Unit(benchmark::kMillisecond);

void hash_state(benchmark::State& bench) {
  for (auto _ : bench) benchmark::DoNotOptimize(state_hash(written().state));
  bench.SetItemsProcessed(bench.iterations() * kRounds);
}
BENCHMARK(hash_state)->Unit(benchmark::kMillisecond);

}  // namespace

// A log in memory with real keys and signatures, for tests of the fold and the roles: everything
// goes through the same door as in the programs, apply_entry().
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "fold/apply.h"
#include "fold/judge.h"
#include "format/data.h"
#include "record/build.h"

namespace harambee::fold::testing {

inline Digest digest_of(const std::string& text) { return sha256(view(text)); }

inline BlobRef blob(const std::string& text, std::string_view type, std::uint64_t size = 100) {
  return {digest_of(text), size, std::string(type)};
}

class LogBuilder {
 public:
  explicit LogBuilder(std::string origin = "log.test/harambee") : origin_(std::move(origin)) {
    Genesis genesis;
    genesis.key = key("hub").public_key();
    genesis.name = "Test hub";
    genesis.tick_ms = 1000;
    genesis.vkey = "log.test/harambee+00000000+AAAA";
    EXPECT_EQ(say("hub", write(genesis)).effect, Effect::applied);
  }

  // Deterministic: the name is the seed.
  const SecretKey& key(const std::string& who) {
    const auto it = keys_.find(who);
    if (it != keys_.end()) return it->second;
    return keys_.emplace(who, SecretKey::from_seed(digest_of("key of " + who).bytes)).first->second;
  }
  KeyId id(const std::string& who) { return key(who).id(); }

  // The author's next record with this payload; an identity goes in front if there is none.
  Outcome say(const std::string& who, Payload payload) {
    if (!state.author(id(who)) && payload.kind != "genesis" && payload.kind != "identity") {
      EXPECT_EQ(say(who, write(Identity{key(who).public_key()})).effect, Effect::applied);
    }
    payload.seq = state.next_seq(id(who));
    payload.prev = state.prev(id(who));
    return say_raw(who, std::move(payload));
  }

  // As `say`, but seq and prev are the test's.
  Outcome say_raw(const std::string& who, Payload payload) {
    if (payload.log.empty()) payload.log = origin_;
    payload.author = id(who);
    const Result<Bytes> entry = sign_record(payload, key(who));
    EXPECT_TRUE(entry.ok()) << (entry.ok() ? "" : entry.error().message);
    if (!entry) return {Effect::corrupt, "not signed"};
    const Result<Unverified> parsed = parse_envelope(*entry);
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
    last = parsed->id();
    const Result<Outcome> outcome = apply_entry(state, *entry);
    EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
    if (outcome->effect != Effect::corrupt) entries.push_back(*entry);
    return *outcome;
  }

  Outcome tick(std::int64_t unix_ms) { return say("hub", write(Tick{unix_ms})); }

  LogState state;
  std::vector<Bytes> entries;
  RecordId last;  // of the newest record said

 private:
  std::string origin_;
  std::map<std::string, SecretKey> keys_;
};

inline Recipe small_recipe() {
  Recipe recipe = default_recipe();
  recipe.rounds = 4;
  recipe.checkpoint_every = 2;
  recipe.commit_ms = 8000;
  recipe.reveal_ms = 5000;
  recipe.score_ms = 15000;
  recipe.judge.auditors = 0;  // audits have tests of their own
  return recipe;
}

// A run that measures nothing on held-out text, and needs none.
inline Recipe textless_recipe() {
  Recipe recipe = small_recipe();
  recipe.gate.rows = recipe.gate.report = 0;
  recipe.judge.guard = recipe.judge.void_rise = {};
  recipe.judge.own_rounds = 0;
  return recipe;
}

// A run in such a log, with what its people usually say. Nothing here is a rule of its own: the
// helpers only fill in what a well-behaved peer would say in the present state.
class Swarm : public LogBuilder {
 public:
  explicit Swarm(std::vector<std::string> validators = {"v1", "v2", "v3"},
                 const Recipe& recipe = small_recipe(), std::vector<std::string> domains = {})
      : validator_names(std::move(validators)), domain_names(std::move(domains)) {
    tick(1'000'000);
    EXPECT_EQ(say("maintainer", write(open_run(recipe))).effect, Effect::applied);
    run_id = last;
  }

  OpenRun open_run(const Recipe& recipe, const std::string& name = "demo") {
    OpenRun open;
    open.name = name;
    open.coordinator = id("coordinator");
    for (const std::string& validator : validator_names) open.validators.push_back(id(validator));
    open.recipe = recipe;
    open.data = blob("data", format::kDataManifestType);
    open.domains = domain_names;
    return open;
  }

  const RunState& run() const { return *state.run(run_id); }
  const Member& member(const std::string& who) { return *run().member(id(who)); }

  Outcome start() {
    Start start;
    start.run = run_id;
    start.loss_first_nanos = 5'500'000'000;
    start.loss_last_nanos = 2'500'000'000;
    start.tokens = 1000;
    start.checkpoint = blob("weights 0", kWeightsType);
    return say("maintainer", write(start));
  }

  Outcome join(const std::string& who, const std::string& numeric_class = "exact-1") {
    return say(who, write(Join{run_id, numeric_class, "harambee-trainer"}));
  }
  void join(std::initializer_list<std::string> people) {
    for (const std::string& who : people) EXPECT_EQ(join(who).reason, "") << who;
  }
  Outcome leave(const std::string& who) { return say(who, write(Leave{run_id})); }

  Contribution contribution(const std::string& who) {
    Contribution act;
    act.run = run_id;
    act.round = run().round.number;
    act.base = run().weights;
    const std::string tag = who + " " + std::to_string(act.round);
    const Member* me = run().member(id(who));
    act.numeric_class = me ? me->numeric_class : "exact-1";
    act.error_feedback = {me ? me->error_feedback : std::nullopt, digest_of("ef " + tag)};
    act.optimizer = {me ? me->optimizer : std::nullopt, digest_of("opt " + tag)};
    act.loss_first_nanos = 2'500'000'000;
    act.loss_last_nanos = 2'400'000'000;
    act.steps = run().recipe.inner.steps;
    act.tokens = act.steps * run().recipe.inner.batch * run().recipe.model.context;
    act.delta = blob("delta " + tag, kDeltaType);
    return act;
  }
  Outcome contribute(const std::string& who) { return say(who, write(contribution(who))); }
  void contribute(std::initializer_list<std::string> people) {
    for (const std::string& who : people) EXPECT_EQ(contribute(who).reason, "") << who;
  }

  // Gains by author in nano-nats; 1'000'000 for whom the map does not name.
  using Gains = std::map<std::string, std::int64_t>;
  Score score(const Gains& gains = {}) {
    Score act;
    act.run = run_id;
    act.round = run().round.number;
    act.base = run().weights;
    act.seed = run().round.score_seed.value_or(Digest{});
    if (run().recipe.reports_loss()) act.loss_nanos = 2'450'000'000;
    for (const Committed& committed : run().round.contributions) {
      ScoreEntry entry;
      entry.gain_nanos = run().recipe.gated() ? 1'000'000 : 0;
      for (const auto& [who, gain] : gains) {
        if (id(who) == committed.author) entry.gain_nanos = gain;
      }
      entry.squared_norm = "1234";
      entry.domain_gains.assign(run().guarded().size(), entry.gain_nanos);
      entry.group = static_cast<std::int64_t>(act.entries.size());
      act.entries.push_back(entry);
    }
    return act;
  }
  Outcome give_score(const std::string& who, const Score& act) { return say(who, write(act)); }

  Close close() {
    Close act;
    act.run = run_id;
    act.round = run().round.number;
    act.accepted = derive(run()).accepted;
    const std::string tag = std::to_string(act.round + 1);
    if (act.accepted.empty()) {
      act.weights = run().weights;
      act.residual = run().residual.value_or(digest_of("zeros"));
    } else {
      act.weights = digest_of("weights " + tag);
      act.residual = digest_of("residual " + tag);
      act.update = blob("update " + tag, kUpdateType);
    }
    if (run().recipe.checkpoint_due(act.round)) {
      act.checkpoint = BlobRef{act.weights, 100, std::string(kWeightsType)};
    }
    return act;
  }
  Outcome give_close(const Close& act) { return say("coordinator", write(act)); }

  // Log time + ms.
  Outcome tick_after(std::int64_t ms) { return tick(state.now_ms() + ms); }

  // A whole round in which these people contribute and all validators agree.
  void play_round(std::initializer_list<std::string> people, const Gains& gains = {}) {
    contribute(people);
    finish_round(gains);
  }
  void finish_round(const Gains& gains = {}) {
    ASSERT_EQ(run().phase, Phase::commit);
    tick_after(run().recipe.commit_ms);
    ASSERT_EQ(run().phase, Phase::score);
    for (const std::string& validator : validator_names) {
      ASSERT_EQ(give_score(validator, score(gains)).reason, "");
    }
    ASSERT_EQ(run().phase, Phase::closing);
    ASSERT_EQ(give_close(close()).reason, "");
  }

  std::vector<std::string> validator_names;
  std::vector<std::string> domain_names;  // of the run that the constructor opens
  RecordId run_id;
};

}  // namespace harambee::fold::testing

// A log of 100,000 entries with 1,000 peers in one run, made in this process.
#pragma once

#include <string>
#include <vector>

#include "base/check.h"
#include "fold/judge.h"
#include "format/data.h"
#include "hub/folded.h"
#include "hub/sequencer.h"
#include "log/checkpoint.h"
#include "record/build.h"

namespace harambee::bench {

using namespace fold;

inline constexpr std::size_t kEntries = 100'000;
inline constexpr std::size_t kPeers = 1'000;
inline constexpr std::size_t kCohort = 100;
inline constexpr const char* kOrigin = "bench.example/log";

// Of the checkpoint.
inline SecretKey log_key() { return SecretKey::from_seed({1}); }
inline std::string log_vkey() {
  return log::VerifierKey{kOrigin, log::NoteKeyType::ed25519, log_key().public_key()}.str();
}

// Writes records that the fold takes.
class Author {
 public:
  explicit Author(const std::string& name) : key_(SecretKey::from_seed(sha256(view(name)).bytes)) {}
  [[nodiscard]] KeyId id() const { return key_.id(); }
  [[nodiscard]] PublicKey public_key() const { return key_.public_key(); }
  Bytes sign(Payload payload) {
    payload.log = kOrigin;
    payload.author = key_.id();
    payload.seq = seq_++;
    payload.prev = prev_;
    Bytes envelope = *sign_record(payload, key_);
    prev_ = parse_envelope(envelope)->id();
    return envelope;
  }

 private:
  SecretKey key_;
  std::uint64_t seq_ = 0;
  std::optional<RecordId> prev_;
};

inline BlobRef blob(std::string_view text, std::string_view type) {
  return {sha256(view(text)), 100, std::string(type)};
}

struct LargeLog {
  std::vector<Bytes> entries;
  std::vector<PublicKey> keys;  // of each entry's author
  hub::Folded folded;

  void say(Author& author, const Payload& payload) {
    entries.push_back(author.sign(payload));
    keys.push_back(author.public_key());
    Unverified parsed = *parse_envelope(entries.back());
    const Record record = std::move(parsed).verified_before(keys.back());
    const Outcome outcome = hub::fold_entry(folded, record);
    HARAMBEE_CHECK(outcome.effect == Effect::applied);
  }
  [[nodiscard]] const RunState& run() const { return folded.state.runs.begin()->second; }
};

inline void contribute(LargeLog& log, Author& who) {
  const RunState& run = log.run();
  Contribution act;
  act.run = run.id;
  act.round = run.round.number;
  act.base = run.weights;
  act.numeric_class = "exact-1";
  const Member& member = *run.member(who.id());
  act.error_feedback.before = member.error_feedback;
  act.optimizer.before = member.optimizer;
  const std::string unique = who.id().hex() + std::to_string(act.round);
  act.error_feedback.after = act.optimizer.after = sha256(view(unique));
  act.steps = 5;
  act.tokens = 2560;
  act.delta = blob(unique, kDeltaType);
  log.say(who, write(act));
}

inline void score_and_close(LargeLog& log, Author& validator, Author& coordinator) {
  const RunState& run = log.run();
  Score score{run.id, run.round.number, run.weights, *run.round.score_seed, 2'000'000'000, {}};
  for (std::size_t i = 0; i < run.round.contributions.size(); ++i) {
    ScoreEntry entry;
    entry.gain_nanos = 5;
    entry.squared_norm = "1234";
    entry.group = static_cast<std::int64_t>(score.entries.size());
    score.entries.push_back(entry);
  }
  log.say(validator, write(score));
  Close close;
  close.run = run.id;
  close.round = run.round.number;
  close.accepted = derive(run).accepted;
  close.weights = sha256(run.weights.view());
  close.residual = close.weights;
  if (!close.accepted.empty()) close.update = blob("update", kUpdateType);
  log.say(coordinator, write(close));
}

inline const LargeLog& large_log() {
  static const LargeLog* const kLog = [] {
    auto* log = new LargeLog;
    Author hub("hub"), coordinator("coordinator"), validator("validator");
    std::int64_t now_ms = 1'000'000;
    log->say(hub, write(Genesis{hub.public_key(), "hub", 1000, log_vkey()}));
    log->say(hub, write(Tick{now_ms}));
    for (Author* one : {&coordinator, &validator})
      log->say(*one, write(Identity{one->public_key()}));
    OpenRun open;
    open.name = "bench";
    open.coordinator = coordinator.id();
    open.validators = {validator.id()};
    open.recipe = default_recipe();
    open.recipe.judge.cohort = 0;
    open.recipe.judge.auditors = 0;
    open.recipe.checkpoint_every = open.recipe.rounds = 1'000'000;
    open.data = blob("data", format::kDataManifestType);
    log->say(coordinator, write(open));
    std::vector<Author> peers;
    for (std::size_t i = 0; i < kPeers; ++i) {
      peers.emplace_back("peer" + std::to_string(i));
      log->say(peers.back(), write(Identity{peers.back().public_key()}));
      log->say(peers.back(), write(Join{log->run().id, "exact-1", "trainer"}));
    }
    log->say(coordinator, write(Start{log->run().id, 1, 1, 1, blob("weights", kWeightsType)}));
    for (std::size_t next = 0; log->entries.size() + kCohort + 4 < kEntries;) {
      // Past the deadline no place is kept any more for those of the round before.
      log->say(hub, write(Tick{now_ms += log->run().recipe.commit_ms}));
      for (std::size_t i = 0; i < kCohort; ++i) contribute(*log, peers[next++ % kPeers]);
      log->say(hub, write(Tick{now_ms += 1000}));
      score_and_close(*log, validator, coordinator);
    }
    while (log->entries.size() < kEntries) log->say(hub, write(Tick{now_ms += 1000}));
    return log;
  }();
  return *kLog;
}

// The published log; nothing can be added.
class GivenLog : public hub::Sequencer {
 public:
  GivenLog() {
    auto head = std::make_shared<hub::Head>();
    head->size = large_log().entries.size();
    const auto root = large_log().folded.state.frontier.root();
    head->checkpoint = log::sign_checkpoint({kOrigin, head->size, root, {}}, log_key());
    head_ = head;
  }
  void on_change(std::function<void()>) override {}
  void start() override {}
  void stop() override {}
  void run_batch() override {}
  std::shared_ptr<hub::Ticket> submit(Bytes) override { return nullptr; }
  std::shared_ptr<hub::Ticket> tick() override { return nullptr; }
  Status shown(View) override { return ok(); }
  std::shared_ptr<const hub::Head> head() const override { return head_; }
  Result<std::vector<Bytes>> entries(std::uint64_t from, std::uint64_t) override {
    const auto& all = large_log().entries;
    const std::uint64_t to = std::min<std::uint64_t>(from + 1000, all.size());
    return std::vector<Bytes>(all.begin() + static_cast<std::ptrdiff_t>(from),
                              all.begin() + static_cast<std::ptrdiff_t>(to));
  }
  std::optional<std::string> damage() const override { return std::nullopt; }
  std::int64_t last_tick_ms() const override { return 0; }

 private:
  std::shared_ptr<const hub::Head> head_;
};

}  // namespace harambee::bench

// What only a dishonest or broken hub can log: the log is invalid from there on.
#include <gtest/gtest.h>

#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using testing::LogBuilder;
using testing::Swarm;

Payload join_payload() { return write(Join{digest_of("some run"), "exact-1", "harambee-trainer"}); }

// The outcome is corrupt and the state is as before.
void expect_corrupt(LogBuilder& log, const std::string& who, Payload payload,
                    const std::string& reason) {
  const Digest before = state_hash(log.state);
  const Outcome outcome = log.say_raw(who, std::move(payload));
  EXPECT_EQ(outcome.effect, Effect::corrupt);
  EXPECT_THAT(outcome.reason, ::testing::HasSubstr(reason));
  EXPECT_EQ(state_hash(log.state), before);
}

Payload chained(LogBuilder& log, const std::string& who, Payload payload) {
  payload.seq = log.state.next_seq(log.id(who));
  payload.prev = log.state.prev(log.id(who));
  return payload;
}

TEST(Hub, GenesisComesFirst) {
  LogBuilder other;
  LogState empty;
  Payload payload = write(Identity{other.key("ann").public_key()});
  payload.log = "log.test/harambee";
  payload.author = other.id("ann");
  const Result<Bytes> entry = sign_record(payload, other.key("ann"));
  ASSERT_TRUE(entry.ok());
  const Result<Outcome> outcome = apply_entry(empty, *entry);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->effect, Effect::corrupt);
  EXPECT_EQ(state_hash(empty), state_hash(LogState{}));
}

TEST(Hub, GenesisNamesTheLog) {
  LogBuilder log;
  EXPECT_EQ(log.state.origin, "log.test/harambee");
  EXPECT_EQ(log.state.hub, log.id("hub"));
  EXPECT_EQ(log.state.tick_ms, 1000);
  EXPECT_EQ(log.state.frontier.size(), 1u);
}

TEST(Hub, AMalformedGenesisIsNoLog) {
  LogBuilder other;
  for (const Json& tick_ms : {Json(0), Json(-1), Json("1000"), Json(nullptr)}) {
    LogState empty;
    Payload payload = write(Genesis{other.key("hub").public_key(), "n", 1000, "v"});
    JsonObject body = *payload.body.object();
    body["tick_ms"] = tick_ms;
    payload.body = body;
    payload.log = "x";
    payload.author = other.id("hub");
    const Result<Bytes> entry = sign_record(payload, other.key("hub"));
    ASSERT_TRUE(entry.ok());
    EXPECT_EQ(apply_entry(empty, *entry)->effect, Effect::corrupt);
  }
}

TEST(Hub, NoSecondGenesis) {
  LogBuilder log;
  Payload payload = write(Genesis{log.key("ann").public_key(), "n", 1000, "v"});
  expect_corrupt(log, "ann", payload, "second genesis");
}

TEST(Hub, NoRecordOfAnotherLog) {
  LogBuilder log;
  Payload payload = write(Identity{log.key("ann").public_key()});
  payload.log = "another.log/x";
  expect_corrupt(log, "ann", payload, "another log");
}

TEST(Hub, NoGapAndNoRepetitionInAnAuthorsChain) {
  LogBuilder log;
  log.say("ann", join_payload());
  Payload gap = chained(log, "ann", join_payload());
  gap.seq += 1;
  expect_corrupt(log, "ann", gap, "comes where record 2 should");
  Payload again = chained(log, "ann", join_payload());
  again.seq = 1;
  expect_corrupt(log, "ann", again, "comes where record 2 should");
  Payload wrong_prev = chained(log, "ann", join_payload());
  wrong_prev.prev = digest_of("something else");
  expect_corrupt(log, "ann", wrong_prev, "prev");
}

TEST(Hub, NoRecordTwice) {
  LogBuilder log;
  log.say("ann", join_payload());
  const Result<Outcome> outcome = apply_entry(log.state, log.entries.back());
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->effect, Effect::corrupt);
}

TEST(Hub, NoAuthorWithoutIdentity) {
  LogBuilder log;
  Payload payload = join_payload();
  payload.log = log.state.origin;
  payload.author = log.id("ann");
  payload.seq = 1;
  payload.prev = digest_of("something");
  const Result<Bytes> entry = sign_record(payload, log.key("ann"));
  ASSERT_TRUE(entry.ok());
  EXPECT_FALSE(apply_entry(log.state, *entry).ok());
}

TEST(Hub, NoForgedSignature) {
  LogBuilder log;
  log.say("ann", join_payload());
  Bytes entry = log.entries.back();
  // The last base64 character before the padding of the signature: …==\"}]}
  const std::size_t at = entry.size() - 10;
  entry[at] = entry[at] == 'A' ? 'B' : 'A';
  LogState state;
  for (std::size_t i = 0; i + 1 < log.entries.size(); ++i) {
    ASSERT_TRUE(apply_entry(state, log.entries[i]).ok());
  }
  EXPECT_FALSE(apply_entry(state, entry).ok());
  EXPECT_TRUE(apply_entry(state, log.entries.back()).ok());
}

TEST(Hub, TimeOnlyGrows) {
  LogBuilder log;
  EXPECT_EQ(log.tick(5000).effect, Effect::applied);
  EXPECT_EQ(log.state.now_ms(), 5000);
  expect_corrupt(log, "hub", chained(log, "hub", write(Tick{5000})), "time runs backwards");
  expect_corrupt(log, "hub", chained(log, "hub", write(Tick{4999})), "time runs backwards");
  EXPECT_EQ(log.tick(5001).effect, Effect::applied);
}

TEST(Hub, OnlyTheHubTicks) {
  LogBuilder log;
  log.say("ann", join_payload());
  expect_corrupt(log, "ann", chained(log, "ann", write(Tick{9000})), "not the hub's");
}

TEST(Hub, AMalformedTickIsCorrupt) {
  LogBuilder log;
  for (const Json& time : {Json(-1), Json("5"), Json(nullptr), Json(kJsonIntegerMax)}) {
    Payload payload = chained(log, "hub", write(Tick{5000}));
    payload.body = JsonObject{{"unix_ms", time}};
    expect_corrupt(log, "hub", payload, "tick");
  }
}

TEST(Hub, EntriesComeInOrder) {
  LogBuilder log;
  log.say("ann", join_payload());
  LogState state;
  const Result<Unverified> genesis = parse_envelope(log.entries[0]);
  const Result<Record> record = genesis->verify(*genesis->own_key());
  EXPECT_EQ(apply(state, 1, *record).effect, Effect::corrupt);
  EXPECT_EQ(apply(state, 0, *record).effect, Effect::applied);
  const Result<Unverified> identity = parse_envelope(log.entries[1]);
  const Result<Record> second = identity->verify(*identity->own_key());
  EXPECT_EQ(apply(state, 2, *second).effect, Effect::corrupt);
  EXPECT_EQ(apply(state, 0, *second).effect, Effect::corrupt);
  EXPECT_EQ(apply(state, 1, *second).effect, Effect::applied);
}

TEST(Hub, TheFrontierIsTheTreeOverTheEntries) {
  Swarm swarm;
  std::vector<Digest> leaves;
  for (const Bytes& entry : swarm.entries) leaves.push_back(log::leaf_hash(entry));
  EXPECT_EQ(swarm.state.frontier.root(), log::root_of(leaves));
}

TEST(Hub, UnknownKindsAreLoggedAndInert) {
  Swarm swarm;
  Payload payload;
  payload.kind = "sing";
  EXPECT_EQ(swarm.say("ann", payload).effect, Effect::inert);
  EXPECT_EQ(swarm.state.refusals.size(), 1u);
  payload.run = swarm.run_id;
  EXPECT_EQ(swarm.say("ann", payload).effect, Effect::inert);
  EXPECT_EQ(swarm.run().refusals.size(), 1u);
  // They take part in the author's chain and in the tree.
  EXPECT_EQ(swarm.state.next_seq(swarm.id("ann")), 3u);
  EXPECT_EQ(swarm.state.frontier.size(), swarm.entries.size());
}

TEST(Hub, RefusalsAreBounded) {
  Swarm swarm;
  Payload payload;
  payload.kind = "sing";
  payload.run = swarm.run_id;
  for (std::size_t i = 0; i < kRefusalsKept + 10; ++i) swarm.say("ann", payload);
  EXPECT_EQ(swarm.run().refusals.size(), kRefusalsKept);
  EXPECT_EQ(swarm.run().refusals_count, kRefusalsKept + 10);
  EXPECT_EQ(swarm.run().refusals.back().place.index, swarm.entries.size() - 1);
}

}  // namespace
}  // namespace harambee::fold

#include "hub/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/world.h"

namespace harambee::hub {
namespace {

class SequencerTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open(SequencerOptions options = test_options()) {
    sequencer.reset();
    auto opened = Sequencer::open(options, test_key(200), *order, *shelf, clock);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    sequencer = *std::move(opened);
  }
  Verdict submit(const Bytes& envelope) {
    auto ticket = sequencer->submit(envelope);
    sequencer->run_batch();
    return ticket->verdict().value();
  }
  Receipt accepted(const Bytes& envelope) {
    const Verdict verdict = submit(envelope);
    if (const auto* no = std::get_if<Rejection>(&verdict)) {
      ADD_FAILURE() << no->status << " " << no->reason;
      return {};
    }
    return std::get<Receipt>(verdict);
  }
  Rejection refused(const Bytes& envelope) {
    const Verdict verdict = submit(envelope);
    if (std::holds_alternative<Receipt>(verdict)) {
      ADD_FAILURE() << "was accepted";
      return {};
    }
    return std::get<Rejection>(verdict);
  }
  std::string kinds() {
    std::string all;
    for (const Bytes& entry : check_log(*shelf)) {
      all += (all.empty() ? "" : " ") + parse_envelope(entry)->payload().kind;
    }
    return all;
  }

  std::unique_ptr<Order> order = store::make_memory_order();
  std::unique_ptr<Shelf> shelf = store::make_memory_shelf();
  TestClock clock;
  std::unique_ptr<Sequencer> sequencer;
  Person ada{1};
  Person ben{2};
};

TEST_F(SequencerTest, BeginsWithGenesis) {
  const auto entries = check_log(*shelf);
  ASSERT_EQ(entries.size(), 1u);
  const auto genesis = parse_envelope(entries[0]);
  EXPECT_EQ(genesis->payload().kind, "genesis");
  EXPECT_EQ(genesis->payload().log, kTestOrigin);
  EXPECT_EQ(*genesis->payload().body.find("tick_ms")->integer(), 1000);
  EXPECT_EQ(*genesis->payload().body.find("vkey")->string(), hub_verifier().str());
  EXPECT_TRUE(genesis->verify(test_key(200).public_key()).ok());
}

TEST_F(SequencerTest, AReceiptNamesAPublishedPlace) {
  const Bytes hello = ada.introduce();
  const Receipt receipt = accepted(hello);
  EXPECT_EQ(receipt.id, parse_envelope(hello)->id());
  EXPECT_EQ(receipt.index, 2u) << "genesis, tick, identity";
  EXPECT_EQ(receipt.size, 3u);
  const auto entries = check_log(*shelf);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[2], hello);
  EXPECT_EQ(sequencer->head()->size, 3u);
}

TEST_F(SequencerTest, ResubmissionHasTheSamePlaceForever) {
  const Bytes hello = ada.introduce();
  const Receipt first = accepted(hello);
  accepted(ada.say("note"));
  EXPECT_EQ(accepted(hello).index, first.index);
  open();
  EXPECT_EQ(accepted(hello).index, first.index);
  EXPECT_EQ(kinds(), "genesis tick identity note");
}

TEST_F(SequencerTest, ResubmissionInOneBatchIsLoggedOnce) {
  const Bytes hello = ada.introduce();
  auto one = sequencer->submit(hello);
  auto two = sequencer->submit(hello);
  sequencer->run_batch();
  EXPECT_EQ(std::get<Receipt>(*one->verdict()).index, 2u);
  EXPECT_EQ(std::get<Receipt>(*two->verdict()).index, 2u);
  EXPECT_EQ(kinds(), "genesis tick identity");
}

TEST_F(SequencerTest, AChainInOneBatchKeepsItsOrder) {
  std::vector<std::shared_ptr<Ticket>> tickets;
  tickets.push_back(sequencer->submit(ada.introduce()));
  for (int i = 0; i < 5; ++i) tickets.push_back(sequencer->submit(ada.say("note")));
  tickets.push_back(sequencer->submit(ben.introduce()));
  sequencer->run_batch();
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    EXPECT_EQ(std::get<Receipt>(*tickets[i]->verdict()).index, 2 + i);
  }
  check_log(*shelf);
}

TEST_F(SequencerTest, AGapIsRefusedWithTheSeqThatIsExpected) {
  accepted(ada.introduce());
  ada.say("lost");
  const Rejection no = refused(ada.say("note"));
  EXPECT_EQ(no.status, 409);
  EXPECT_EQ(no.expected_seq.value(), 1u);
  EXPECT_EQ(kinds(), "genesis tick identity");
}

TEST_F(SequencerTest, TwoRecordsOfOneSeqAreEquivocation) {
  accepted(ada.introduce());
  const Payload draft = ada.draft("note", {{"text", "one"}});
  Payload other = draft;
  other.body = JsonObject{{"text", "two"}};
  accepted(ada.sign(draft));
  const Rejection no = refused(ada.sign(other));
  EXPECT_EQ(no.status, 409);
  EXPECT_EQ(no.expected_seq.value(), 2u);
  EXPECT_NE(no.reason.find("seq 1"), std::string::npos) << no.reason;
}

TEST_F(SequencerTest, PrevMustBeTheAuthorsLastRecord) {
  accepted(ada.introduce());
  Payload draft = ada.draft("note");
  draft.prev = sha256(view("something else"));
  EXPECT_EQ(refused(ada.sign(draft)).status, 409);
}

TEST_F(SequencerTest, WhoIsNotIntroducedIsAskedForIt) {
  ada.introduce();  // never sent
  const Rejection no = refused(ada.say("note"));
  EXPECT_EQ(no.status, 409);
  EXPECT_EQ(no.expected_seq.value(), 0u);
}

TEST_F(SequencerTest, ARecordOfAnotherLogIsRefused) {
  Person stranger(3, "other.example/log");
  const Rejection no = refused(stranger.introduce());
  EXPECT_EQ(no.status, 400);
  EXPECT_NE(no.reason.find("other.example/log"), std::string::npos);
}

TEST_F(SequencerTest, OnlyCanonicalEnvelopesAreTaken) {
  Bytes spaced = ada.introduce();
  spaced.push_back('\n');
  EXPECT_EQ(refused(spaced).status, 400);
  EXPECT_EQ(refused(to_bytes("{}")).status, 400);
  EXPECT_EQ(refused({}).status, 400);
  EXPECT_EQ(refused(Bytes(70'000, 'x')).status, 413);
}

TEST_F(SequencerTest, AForgedRecordIsRefusedAndTellsNothing) {
  accepted(ada.introduce());
  Payload draft = ada.draft("note");
  draft.seq = 7;
  Bytes forged = ada.sign(draft);
  const std::string before(text(forged));
  const auto at = before.find("\"sig\":\"") + 7;
  forged[at] = forged[at] == 'A' ? 'B' : 'A';
  const Rejection no = refused(forged);
  EXPECT_EQ(no.status, 400);
  EXPECT_FALSE(no.expected_seq.has_value());
}

TEST_F(SequencerTest, OnlyTheHubTicks) {
  accepted(ada.introduce());
  EXPECT_EQ(refused(ada.sign(ada.draft("tick", {{"unix_ms", 1}}))).status, 400);
  Person impostor(200);
  EXPECT_EQ(refused(impostor.introduce()).status, 400);
}

TEST_F(SequencerTest, ARunNameIsTakenOnce) {
  accepted(ada.introduce());
  accepted(ben.introduce());
  const Receipt run = accepted(ada.say("run", {{"name", "shakespeare"}}));
  EXPECT_EQ(order->run("shakespeare")->value().id, run.id);
  const Payload second = ben.draft("run", {{"name", "shakespeare"}});
  const Rejection no = refused(ben.sign(second));
  EXPECT_EQ(no.status, 422);
  EXPECT_FALSE(no.expected_seq.has_value()) << "the chain is not at fault";
  for (const char* bad : {"", "Upper", "../x", "a b", "-x"}) {
    EXPECT_EQ(refused(ben.sign(ben.draft("run", {{"name", bad}}))).status, 400) << bad;
  }
  accepted(ben.say("run", {{"name", "another"}}));
  open();
  EXPECT_EQ(refused(ada.sign(ada.draft("run", {{"name", "another"}}))).status, 422);
}

TEST_F(SequencerTest, BlobsOfLoggedRecordsAreExpected) {
  accepted(ada.introduce());
  Payload draft = ada.draft("note");
  draft.blobs = {{sha256(view("blob")), 4, "text/plain"}};
  EXPECT_FALSE(*order->expects(sha256(view("blob")), 4));
  accepted(ada.say(draft));
  EXPECT_TRUE(*order->expects(sha256(view("blob")), 4));
}

TEST_F(SequencerTest, TicksStandInFrontOfBatchesAndOnlyAsOftenAsPromised) {
  accepted(ada.introduce());
  accepted(ada.say("note"));
  clock.pass(999);
  accepted(ada.say("note"));
  clock.pass(1);
  accepted(ada.say("note"));
  EXPECT_EQ(kinds(), "genesis tick identity note note tick note");
}

TEST_F(SequencerTest, ATickCanBeAskedFor) {
  auto first = sequencer->tick();
  sequencer->run_batch();
  EXPECT_EQ(std::get<Receipt>(*first->verdict()).index, 1u);
  auto second = sequencer->tick();
  sequencer->run_batch();
  EXPECT_EQ(std::get<Rejection>(*second->verdict()).status, 200);
  clock.pass(1000);
  auto third = sequencer->tick();
  auto fourth = sequencer->tick();
  sequencer->run_batch();
  EXPECT_EQ(std::get<Receipt>(*third->verdict()).index, 2u);
  EXPECT_EQ(std::get<Receipt>(*fourth->verdict()).index, 2u);
  EXPECT_EQ(kinds(), "genesis tick tick");
}

TEST_F(SequencerTest, LogTimeIncreasesWhateverTheWallClockDoes) {
  const auto tick = [&] {
    auto ticket = sequencer->tick();
    sequencer->run_batch();
    return std::holds_alternative<Receipt>(*ticket->verdict());
  };
  ASSERT_TRUE(tick());
  clock.now_ms -= 3'600'000;
  EXPECT_FALSE(tick());
  clock.pass(1000);
  EXPECT_TRUE(tick()) << "an hour lost on the wall is a second on the log";
  open();
  clock.pass(1000);
  EXPECT_TRUE(tick());
  std::int64_t last = 0;
  for (const Bytes& entry : check_log(*shelf)) {
    const auto record = parse_envelope(entry);
    if (record->payload().kind != "tick") continue;
    const std::int64_t now = *record->payload().body.find("unix_ms")->integer();
    EXPECT_GT(now, last);
    last = now;
  }
}

TEST_F(SequencerTest, PushesBackWhenTooManyWait) {
  SequencerOptions options = test_options();
  options.outstanding_max = 3;
  open(options);
  std::vector<std::shared_ptr<Ticket>> tickets;
  tickets.push_back(sequencer->submit(ada.introduce()));
  for (int i = 0; i < 4; ++i) tickets.push_back(sequencer->submit(ada.say("note")));
  EXPECT_FALSE(tickets[2]->verdict().has_value());
  EXPECT_EQ(std::get<Rejection>(tickets[3]->verdict().value()).status, 429);
  sequencer->run_batch();
  EXPECT_EQ(std::get<Receipt>(tickets[2]->verdict().value()).index, 4u);
  EXPECT_FALSE(sequencer->submit(ben.introduce())->verdict().has_value()) << "room again";
}

TEST_F(SequencerTest, LargeBatchesCrossTiles) {
  accepted(ada.introduce());
  for (int i = 0; i < 700; ++i) sequencer->submit(ada.say("note"));
  sequencer->run_batch();
  EXPECT_EQ(check_log(*shelf).size(), 703u);
  EXPECT_EQ(shelf->read("tile/0/000.p/3").error().code, ErrorCode::not_found)
      << "partial tiles go when the full one is there";
  EXPECT_TRUE(shelf->read("tile/0/002.p/191").ok());
}

TEST_F(SequencerTest, EverySizeUpToTwoTilesIsRight) {
  accepted(ada.introduce());
  while (sequencer->head()->size < 515) {
    accepted(ada.say("note"));
    if (sequencer->head()->size % 64 < 2 || sequencer->head()->size > 508) {
      check_log(*shelf);
      open();
      ASSERT_FALSE(sequencer->damage().has_value()) << *sequencer->damage();
    }
  }
}

TEST_F(SequencerTest, GivesEntriesFromMemoryAndFromFiles) {
  accepted(ada.introduce());
  for (int i = 0; i < 600; ++i) sequencer->submit(ada.say("note"));
  sequencer->run_batch();
  const auto all = check_log(*shelf);
  for (int reopened = 0; reopened < 2; ++reopened) {
    EXPECT_EQ(*sequencer->entries(0, 1 << 30), all);
    EXPECT_EQ(sequencer->entries(255, 1 << 30)->front(), all[255]);
    EXPECT_EQ(sequencer->entries(603, 1 << 30)->size(), 0u);
    EXPECT_EQ(sequencer->entries(99'999, 1 << 30)->size(), 0u);
    EXPECT_EQ(sequencer->entries(0, 0)->size(), 1u) << "at least one";
    EXPECT_EQ(sequencer->entries(5, all[5].size() + all[6].size())->size(), 2u);
    open();
  }
}

TEST_F(SequencerTest, AnotherKeyOrOriginCannotContinueTheLog) {
  sequencer.reset();
  EXPECT_FALSE(Sequencer::open(test_options(), test_key(201), *order, *shelf, clock).ok());
  SequencerOptions renamed = test_options();
  renamed.origin = "elsewhere.example";
  EXPECT_FALSE(Sequencer::open(renamed, test_key(200), *order, *shelf, clock).ok());
  renamed.origin = "no spaces allowed";
  EXPECT_FALSE(Sequencer::open(renamed, test_key(200), *order, *shelf, clock).ok());
}

// Damage: never repaired silently, always named.

class DamageTest : public SequencerTest {
 protected:
  void SetUp() override {
    SequencerTest::SetUp();
    accepted(ada.introduce());
    for (int i = 0; i < 300; ++i) sequencer->submit(ada.say("note"));
    sequencer->run_batch();
    clean_size = sequencer->head()->size;
  }
  // Opens read-only and names the file.
  void expect_damage(const std::string& named) {
    open();
    ASSERT_TRUE(sequencer->damage().has_value()) << named;
    EXPECT_NE(sequencer->damage()->find(named), std::string::npos) << *sequencer->damage();
    const Rejection no = std::get<Rejection>(sequencer->submit(ada.say("note"))->verdict().value());
    EXPECT_EQ(no.status, 503);
    EXPECT_NE(no.reason.find(named), std::string::npos);
  }
  void flip(const std::string& name, std::size_t at) {
    Bytes bytes = *shelf->read(name);
    bytes.at(at) ^= 1;
    ASSERT_TRUE(shelf->replace(name, bytes).ok());
  }
  std::uint64_t clean_size = 0;
};

TEST_F(DamageTest, AFlippedBitInAnEntry) {
  flip("tile/entries/001.p/47", 100);
  expect_damage("tile/entries/001.p/47");
}

TEST_F(DamageTest, AFlippedBitInATile) {
  flip("tile/0/001.p/47", 5);
  expect_damage("tile/0/001.p/47");
  EXPECT_EQ(sequencer->head()->size, clean_size) << "what is published can still be read";
}

TEST_F(DamageTest, AMissingTile) {
  ASSERT_TRUE(shelf->remove_folder("tile/1/000.p").ok());
  expect_damage("tile/1/000.p/1");
}

TEST_F(DamageTest, ACheckpointThatIsNotOurs) {
  flip("checkpoint", 30);
  expect_damage("checkpoint");
}

TEST_F(DamageTest, AnOldDatabasePutBack) {
  order = store::make_memory_order();
  expect_damage("database");
}

TEST_F(DamageTest, OldFilesPutBackAreReplayedOnlyAsFarAsTheyAreStaged) {
  auto old_checkpoint = *shelf->read("checkpoint");
  accepted(ada.say("note"));
  accepted(ada.say("note"));
  ASSERT_TRUE(shelf->replace("checkpoint", old_checkpoint).ok());
  expect_damage("not staged");
}

// Somebody who knows more of the log than the store does tells it.
class ShownTest : public SequencerTest {
 protected:
  void SetUp() override {
    SequencerTest::SetUp();
    accepted(ada.introduce());
  }
  // A checkpoint that our key signed.
  static std::string signed_note(std::uint64_t size, std::uint8_t root) {
    Digest digest;
    digest.bytes.fill(root);
    return log::sign_checkpoint({kTestOrigin, size, digest, {}}, test_key(200));
  }
  void expect_read_only(const std::string& words) {
    ASSERT_TRUE(sequencer->damage().has_value());
    EXPECT_NE(sequencer->damage()->find(words), std::string::npos) << *sequencer->damage();
    const std::uint64_t size = sequencer->head()->size;
    EXPECT_EQ(refused(ada.say("note")).status, 503);
    EXPECT_EQ(sequencer->head()->size, size);
  }
};

TEST_F(ShownTest, WhatTheLogHasItselfIsNothingNew) {
  const std::string now = sequencer->head()->checkpoint;
  accepted(ada.say("note"));
  EXPECT_TRUE(sequencer->shown(view(now)).ok());
  EXPECT_TRUE(sequencer->shown(view(sequencer->head()->checkpoint)).ok());
  EXPECT_FALSE(sequencer->damage().has_value());
  accepted(ada.say("note"));
}

TEST_F(ShownTest, ALargerLogUnderOurKeyStopsTheHubForGood) {
  ASSERT_TRUE(sequencer->shown(view(signed_note(1000, 7))).ok());
  expect_read_only("1000 entries, and this log has 3");
  open();
  expect_read_only("1000 entries, and this log has 3");
}

TEST_F(ShownTest, AnotherRootOfTheSameSizeDoesToo) {
  ASSERT_TRUE(sequencer->shown(view(signed_note(3, 7))).ok());
  expect_read_only("an old copy was put back");
}

TEST_F(ShownTest, TheNewestCopyPutBackGoesOn) {
  auto old_order = store::make_memory_order();
  auto old_shelf = store::make_memory_shelf();
  std::swap(order, old_order);
  std::swap(shelf, old_shelf);
  const std::string newest = sequencer->head()->checkpoint;
  open();  // an empty store: the oldest copy there is
  ASSERT_TRUE(sequencer->shown(view(newest)).ok());
  EXPECT_TRUE(sequencer->damage().has_value());
  const Bytes kept = *shelf->read("checkpoint.shown");
  sequencer.reset();
  std::swap(order, old_order);
  std::swap(shelf, old_shelf);
  ASSERT_TRUE(shelf->replace("checkpoint.shown", kept).ok());
  open();
  EXPECT_FALSE(sequencer->damage().has_value());
  accepted(ada.say("note"));
}

TEST_F(ShownTest, OnlyOurOwnSignatureCounts) {
  Digest root;
  const std::string forged = log::sign_checkpoint({kTestOrigin, 1000, root, {}}, test_key(9));
  EXPECT_EQ(sequencer->shown(view(forged)).error().code, ErrorCode::invalid);
  const std::string other = log::sign_checkpoint({"other.example", 1000, root, {}}, test_key(200));
  EXPECT_EQ(sequencer->shown(view(other)).error().code, ErrorCode::invalid);
  EXPECT_EQ(sequencer->shown(view("no note")).error().code, ErrorCode::invalid);
  EXPECT_FALSE(sequencer->damage().has_value());
}

TEST_F(DamageTest, AFileInTheWayOfATile) {
  ASSERT_TRUE(shelf->create("tile/0/001.p/48", view("not hashes")).ok());
  const Rejection no = refused(ada.say("note"));
  EXPECT_EQ(no.status, 503);
  ASSERT_TRUE(sequencer->damage().has_value());
  EXPECT_NE(sequencer->damage()->find("tile/0/001.p/48"), std::string::npos);
  EXPECT_EQ(sequencer->head()->size, clean_size);
  expect_damage("tile/0/001.p/48");
}

}  // namespace
}  // namespace harambee::hub

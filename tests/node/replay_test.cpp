#include "node/replay.h"

#include <gmock/gmock.h>

#include <set>

#include "node/export.h"
#include "node/retrain.h"
#include "store/file.h"
#include "tests/node/small_run.h"
#include "tests/store/temporary_folder.h"

namespace harambee::node {
namespace {

using ::testing::HasSubstr;
using testing::SmallRun;

FetchBlob blobs_of(const std::map<Digest, Bytes>& blobs) {
  return [&blobs](const BlobRef& ref) -> Result<Content> {
    auto found = blobs.find(ref.digest);
    if (found == blobs.end()) return fail(ErrorCode::not_found, blob_place(ref.digest));
    return Content(found->second);
  };
}

TEST(Replay, ArrivesAtEveryDigestOnTheLog) {
  SmallRun small;
  Result<Replay> replay = Replay::begin(small.run(), blobs_of(small.blobs()));
  ASSERT_TRUE(replay.ok()) << replay.error().message;
  while (!replay->done()) {
    std::int64_t round = replay->round();
    Status next = replay->next();
    ASSERT_TRUE(next.ok()) << next.error().message;
    EXPECT_EQ(replay->digest(), small.run().history[static_cast<std::size_t>(round)].weights);
    EXPECT_EQ(format::weights_digest(replay->layout(), replay->weights()), replay->digest());
  }
  EXPECT_EQ(replay->digest(), small.run().weights);
}

TEST(Replay, NamesRoundRecordAndBlobOfADifference) {
  SmallRun small;
  std::map<Digest, Bytes> blobs = small.blobs();
  const fold::ClosedContribution& victim = small.run().history[2].contributions[0];
  ASSERT_TRUE(victim.accepted);
  Bytes& blob = blobs.at(victim.delta.digest);
  blob[blob.size() / 2] ^= 4;
  Result<Replay> replay = Replay::begin(small.run(), blobs_of(blobs));
  ASSERT_TRUE(replay.ok());
  ASSERT_TRUE(replay->next().ok());
  ASSERT_TRUE(replay->next().ok());
  Status next = replay->next();
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code, ErrorCode::corrupt);
  EXPECT_THAT(next.error().message, HasSubstr("round 2"));
  EXPECT_THAT(next.error().message, HasSubstr(small.run().history[2].close.id.hex()));
}

TEST(Replay, ShortestWayToARoundArrivesAtTheSameWeights) {
  SmallRun small({.rounds = 5});
  for (std::int64_t round = 0; round <= 5; ++round) {
    Result<std::vector<float>> weights =
        weights_at(small.run(), round, blobs_of(small.blobs()), {});
    ASSERT_TRUE(weights.ok()) << weights.error().message;
  }
  EXPECT_EQ(weights_at(small.run(), 6, blobs_of(small.blobs()), {}).error().code,
            ErrorCode::invalid);
}

// Round 2's base is found to be bad: back to that of round 1, and on from there.
class VoidedRun : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(VoidedRun, IsReplayedToTheBit) {
  SmallRun small({.rounds = 6, .withheld_round = -1, .void_round = GetParam()});
  const auto bad = static_cast<std::size_t>(GetParam());
  const fold::RunState& run = small.run();
  ASSERT_EQ(run.history.size(), 6u);
  ASSERT_TRUE(run.history[bad].voided);
  EXPECT_EQ(run.history[bad].weights, run.history[bad - 1].base);
  EXPECT_EQ(run.history[bad + 1].base, run.history[bad - 1].base);
  Result<Replay> replay = Replay::begin(run, blobs_of(small.blobs()));
  ASSERT_TRUE(replay.ok());
  while (!replay->done()) {
    const Status next = replay->next();
    ASSERT_TRUE(next.ok()) << next.error().message;
  }
  EXPECT_EQ(replay->digest(), run.weights);
  for (std::int64_t round = 0; round <= 6; ++round) {
    Result<std::vector<float>> weights = weights_at(run, round, blobs_of(small.blobs()), {});
    ASSERT_TRUE(weights.ok()) << round << ": " << weights.error().message;
  }
}
// After the first round; after one with a checkpoint, and after one without.
INSTANTIATE_TEST_SUITE_P(Rounds, VoidedRun, ::testing::Values(1, 2, 3, 4));

TEST(Export, WritesAModelWhoseFileHasTheDigestOnTheLog) {
  SmallRun small;
  TemporaryFolder folder;
  ExportOptions options{.round = 3,
                        .url = "http://hub.test/runs/small",
                        .dir = folder.path() + "/model",
                        .progress = {}};
  Result<Exported> made =
      export_model(small.state(), small.run(), blobs_of(small.blobs()), options);
  ASSERT_TRUE(made.ok()) << made.error().message;
  Result<Bytes> model = store::read_file(options.dir + "/model.safetensors", 1 << 30);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(sha256(*model), small.run().weights);
  Result<Bytes> card = store::read_file(options.dir + "/README.md", 1 << 20);
  ASSERT_TRUE(card.ok());
  for (const std::string& part :
       {small.run().weights.hex(), small.run().id.hex(), small.vkey(), options.url}) {
    EXPECT_THAT(std::string(text(*card)), HasSubstr(part));
  }
}

TEST(Export, RefusesWeightsThatAVoidTookBack) {
  SmallRun small({.rounds = 4, .withheld_round = -1, .void_round = 2});
  TemporaryFolder folder;
  ExportOptions options{.round = 2, .url = "url", .dir = folder.path() + "/model", .progress = {}};
  const auto make = [&] {
    return export_model(small.state(), small.run(), blobs_of(small.blobs()), options);
  };
  const Result<Exported> refused = make();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message,
              HasSubstr("taken back by the void of round 2; the good ones are those of rounds 1 "
                        "and 3"));
  EXPECT_FALSE(std::filesystem::exists(options.dir));
  for (const std::int64_t round : {0, 1, 3, 4}) {
    options.round = round;
    EXPECT_TRUE(make().ok()) << round;
  }
}

// What `verify --retrain` may choose from, and what it must train for it.
class RetrainTest : public ::testing::Test {
 protected:
  RetrainTest() : small_({.rounds = 4}) {
    for (const Bytes& entry : small_.entries()) {
      Result<Unverified> unverified = parse_envelope(entry);
      if (unverified->payload().kind == "contribution") {
        acts_.emplace(unverified->id(), *fold::parse_contribution(unverified->payload()));
      }
    }
  }
  SmallRun small_;
  std::map<RecordId, fold::Contribution> acts_;
};

// Three members, four rounds. The withheld one moved and earned nothing, and whether its bytes are
// what training gives is nobody's loss; but it is a link of its author's chain.
TEST_F(RetrainTest, EveryAcceptedExactContributionMayBeChosen) {
  std::vector<Trained> all = retrainable(small_.run(), acts_);
  EXPECT_EQ(all.size(), 11u);
  for (const Trained& one : all) {
    EXPECT_TRUE(small_.run().closed_contribution(one.round, one.place.id)->accepted);
  }
  EXPECT_EQ(Retraining(small_.run(), all, acts_).total(), 12u);
}

TEST_F(RetrainTest, TheSeedAloneChooses) {
  std::vector<Trained> all = retrainable(small_.run(), acts_);
  Digest seed = sha256(view("seed"));
  auto ids = [](const std::vector<Trained>& list) {
    std::set<RecordId> ids;
    for (const Trained& one : list) ids.insert(one.place.id);
    return ids;
  };
  EXPECT_EQ(choose(all, 5, seed).size(), 5u);
  EXPECT_EQ(ids(choose(all, 5, seed)), ids(choose(all, 5, seed)));
  EXPECT_NE(ids(choose(all, 5, seed)), ids(choose(all, 5, sha256(view("another")))));
  EXPECT_EQ(choose(all, 99, seed).size(), all.size());
}

TEST_F(RetrainTest, AChosenOneNeedsItsChainFromTheFreshStart) {
  std::vector<Trained> all = retrainable(small_.run(), acts_);
  Retraining last(small_.run(), {all.back()}, acts_);
  EXPECT_EQ(last.total(), 4u);
  for (std::int64_t round = 0; round < 4; ++round) EXPECT_TRUE(last.needs(round));
  Retraining first(small_.run(), {all.front()}, acts_);
  EXPECT_EQ(first.total(), 1u);
  EXPECT_FALSE(first.needs(1));
}

}  // namespace
}  // namespace harambee::node

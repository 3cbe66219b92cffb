// The vectors of spec/assignment.md. They were computed with Python's hashlib, not with this code.
#include "fold/assignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using ::testing::ElementsAre;

const Digest kRun = digest_of("run");
const Digest kAuthor = digest_of("author");

TEST(Assignment, ShardsFollowTheOrdinalAroundTheList) {
  EXPECT_THAT(shards_of(0, 4, 10), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(shards_of(1, 4, 10), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(shards_of(2, 4, 10), ElementsAre(8, 9, 0, 1));
  EXPECT_THAT(shards_of(7, 1, 3), ElementsAre(1));
}

TEST(Assignment, FewShardsAreGivenOnceEach) {
  EXPECT_THAT(shards_of(0, 4, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(shards_of(1, 4, 3), ElementsAre(1, 2, 0));
  EXPECT_THAT(shards_of(5, 4, 1), ElementsAre(0));
}

TEST(Assignment, NoOrdinalOverflows) {
  // 2^64 - 1 = 5 mod 10
  EXPECT_THAT(shards_of(~std::uint64_t{0}, 3, 10), ElementsAre(5, 6, 7));
}

TEST(Assignment, EveryShardIsUsedOnceThereAreEnoughMembers) {
  std::vector<int> used(64, 0);
  for (std::uint64_t ordinal = 0; ordinal < 16; ++ordinal) {
    for (const std::uint64_t shard : shards_of(ordinal, 4, 64)) ++used[shard];
  }
  EXPECT_THAT(used, ::testing::Each(1));
}

TEST(Assignment, SeedsAreThoseOfTheSpecification) {
  EXPECT_EQ(inner_seed(kRun, 7, kAuthor).hex(),
            "809531b3103e1f37a5230dde3b0b270098f2edd362bc4681a5dcf953ea3d94c0");
  EXPECT_EQ(score_seed(digest_of("root")).hex(),
            "2c6a6498ca52d321ba3e64b8d151533af8f0f021a32ad3ed474162717a7094b7");
  EXPECT_EQ(report_seed(kRun).hex(),
            "a074eee922cca372db882e896f59ada0d0f91205f5eb69215da414b5b25355be");
}

TEST(Assignment, RowsAreThoseOfTheSpecification) {
  const Digest seed = report_seed(kRun);
  EXPECT_THAT(row_offsets(seed, 0, 4, 1'000'000, 128), ElementsAre(641384, 193805, 516184, 10866));
  EXPECT_THAT(row_offsets(seed, 3, 4, 1'000'000, 128), ElementsAre(753635, 186646, 618524, 104707));
  EXPECT_EQ(row_offset(seed, 3, 2, 1'000'000, 128), row_offsets(seed, 3, 4, 1'000'000, 128)[2]);
}

TEST(Assignment, ARowAlwaysFits) {
  for (std::uint64_t row = 0; row < 1000; ++row) {
    EXPECT_LE(row_offset(kRun, 0, row, 200, 128) + 128 + 1, 200u);
  }
  EXPECT_EQ(row_offset(kRun, 0, 0, 129, 128), 0u);
}

TEST(Assignment, DataShorterThanARowIsRefused) {
  format::DataManifest data;
  data.train = {{digest_of("a"), 129}, {digest_of("b"), 200}};
  data.heldout = {{digest_of("c"), 100}, {digest_of("d"), 29}};
  EXPECT_TRUE(check_data(data, 128).ok());
  EXPECT_FALSE(check_data(data, 129).ok());
  data.train[0].size = 128;
  EXPECT_FALSE(check_data(data, 128).ok());
  data.train[0].size = 129;
  data.heldout.pop_back();
  EXPECT_FALSE(check_data(data, 128).ok());
}

}  // namespace
}  // namespace harambee::fold

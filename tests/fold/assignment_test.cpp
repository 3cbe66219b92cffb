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

TEST(Assignment, ScoreRowsOfADomainLieInItsText) {
  format::DataManifest data;
  data.train = {{digest_of("t"), 1000}};
  data.heldout = {{digest_of("a"), 5000},
                  {digest_of("b"), 3000, "english"},
                  {digest_of("c"), 2000, "swahili"},
                  {digest_of("d"), 400, "swahili"}};
  const Digest seed = digest_of("seed");
  const std::vector<std::uint64_t> all = row_offsets(seed, 0, 16, 10'400, 128);
  EXPECT_EQ(score_rows(seed, 16, data, 128, Guarded::no), all);
  const std::vector<std::uint64_t> rows = score_rows(seed, 16, data, 128, Guarded::yes);
  ASSERT_EQ(rows.size(), 48u);
  EXPECT_EQ(std::vector(rows.begin(), rows.begin() + 16), all);
  for (std::size_t i = 16; i < 32; ++i) EXPECT_TRUE(rows[i] >= 5000 && rows[i] + 129 <= 8000);
  for (std::size_t i = 32; i < 48; ++i) EXPECT_TRUE(rows[i] >= 8000 && rows[i] + 129 <= 10'400);
  EXPECT_EQ(rows[32], 8000 + row_offset(seed, 2, 0, 2400, 128));
}

TEST(Assignment, EachDomainHoldsARowOut) {
  format::DataManifest data;
  data.train = {{digest_of("t"), 1000}};
  data.heldout = {{digest_of("a"), 5000}, {digest_of("b"), 129, "swahili"}};
  EXPECT_TRUE(check_data(data, 128).ok());
  data.heldout[1].size = 128;
  EXPECT_EQ(check_data(data, 128).error().message.find("swahili") == std::string::npos, false);
}

TEST(Assignment, AContributionIsOfTheDomainOfMostOfItsBytes) {
  const format::Shard english{digest_of("a"), 10, "english"};
  const format::Shard swahili{digest_of("b"), 10, "swahili"};
  const format::Shard more{digest_of("c"), 1, "swahili"};
  const format::Shard nobodys{digest_of("d"), 12};
  const auto of = [](std::vector<format::Shard> shards) { return domain_of(shards); };
  EXPECT_EQ(of({english, swahili}), "english");
  EXPECT_EQ(of({english, swahili, more}), "swahili");
  EXPECT_EQ(of({english, swahili, more, nobodys}), "");
  EXPECT_EQ(of({nobodys}), "");
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

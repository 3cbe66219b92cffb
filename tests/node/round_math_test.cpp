#include "node/round_math.h"

#include <gmock/gmock.h>

#include "fold/acts.h"
#include "node/own_rows.h"
#include "node/round_close.h"
#include "node/run_manifest.h"

namespace harambee::node {
namespace {

using ::testing::ElementsAre;
using Nanos = std::vector<std::int64_t>;

TEST(RoundMath, GainsAreOfEverythingThenOfEachDomain) {
  const Nanos without{10, 20, 30, 40, 500, 600};
  const Nanos with{4, 16, 32, 42, 400, 300};
  EXPECT_EQ(gains_of(without, with, 6).all_nanos, (1200 - 794) / 6);
  const Gains gains = gains_of(without, with, 2);
  EXPECT_EQ(gains.all_nanos, 5);
  EXPECT_THAT(gains.domains_nanos, ElementsAre(-2, 200));
}

TEST(RoundMath, GainsStayWithinWhatARecordSays) {
  const Nanos without{0, 0};
  const Nanos with{fold::kNanosMax, fold::kNanosMax};
  const Gains gains = gains_of(without, with, 1);
  EXPECT_EQ(gains.all_nanos, -fold::kNanosMax);
  EXPECT_THAT(gains.domains_nanos, ElementsAre(-fold::kDomainNanosMax));
  EXPECT_EQ(worst_gains(1).all_nanos, gains.all_nanos);
  EXPECT_EQ(worst_gains(1).domains_nanos, gains.domains_nanos);
  EXPECT_TRUE(worst_gains(0).domains_nanos.empty());
}

TEST(RoundMath, OwnIsTheGainOnTheAuthorsRowsBeyondThatOnOthers) {
  Nanos without(2 * fold::kOwnRows, 100);
  Nanos with(2 * fold::kOwnRows, 90);
  EXPECT_EQ(own_nanos(without, with), 0);
  for (std::size_t i = 0; i < fold::kOwnRows; ++i) with[i] = 60;
  EXPECT_EQ(own_nanos(without, with), 30);
  with.assign(with.size(), fold::kNanosMax);
  for (std::size_t i = 0; i < fold::kOwnRows; ++i) without[i] = 0;
  EXPECT_EQ(own_nanos(without, with), -100);
  without.assign(without.size(), 0);
  for (std::size_t i = 0; i < fold::kOwnRows; ++i) with[i] = 0;
  EXPECT_EQ(own_nanos(without, with), fold::kDomainNanosMax);
}

TEST(RoundMath, TheOwnTestNeedsShardsThatAValidatorMayFetch) {
  fold::RunState run;
  run.recipe = fold::default_recipe();
  const KeyId author = sha256(view("author"));
  for (const KeyId& key : {sha256(view("another")), author}) {
    fold::Member member;
    member.key = key;
    run.members.add(member);
  }
  format::DataManifest data;
  for (int i = 0; i < 6; ++i) {
    data.train.push_back({sha256(view(std::to_string(i))), 100'000u + static_cast<unsigned>(i)});
  }
  const OwnAsked asked{3, author, sha256(view("validator")), sha256(view("seed"))};
  const auto places = own_places(run, data, asked);
  ASSERT_TRUE(places.has_value());
  ASSERT_EQ(places->shards.size(), 4u);  // 4 5 0 1
  EXPECT_EQ(places->shards[0].size, 100'004u);
  EXPECT_EQ(places->offsets.size(), 2 * fold::kOwnRows);
  data.train[0].size = fold::kOwnBytesMax;
  EXPECT_FALSE(own_places(run, data, asked).has_value());
  run.recipe.judge.own_rounds = 0;
  data.train[0].size = 1000;
  EXPECT_FALSE(own_places(run, data, asked).has_value());
}

// Nobody chooses the domain that its work happens to please.
TEST(RoundMath, AContributionServesTheDomainOfItsShards) {
  fold::RunState run;
  run.recipe = fold::default_recipe();
  run.recipe.shards_per_member = 2;
  const KeyId author = sha256(view("author"));
  for (const KeyId& key : {sha256(view("another")), author}) {
    fold::Member member;
    member.key = key;
    run.members.add(member);
  }
  format::DataManifest data;
  for (int i = 0; i < 6; ++i) {
    data.train.push_back({sha256(view(std::to_string(i))), 1000, i < 3 ? "english" : "swahili"});
  }
  data.train[2].size = 999;  // theirs are 2 and 3
  EXPECT_FALSE(is_foreign_domain(run, data, author, "swahili"));
  EXPECT_FALSE(is_foreign_domain(run, data, author, ""));
  EXPECT_TRUE(is_foreign_domain(run, data, author, "english"));

  const RoundContext context{run.recipe, 1000, Digest{}, Digest{}};
  const Bytes blob(100);
  const BlobRef ref{sha256(blob), blob.size(), std::string(fold::kDeltaType)};
  const std::vector<Revealed> one{{ref, author, View(blob), true}};
  const auto findings = examine(context, one);
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->front().verdict, "malformed: another domain than its shards'");
}

// The fold knows the domains by the run record; scores are measured by the manifest.
TEST(RoundMath, ARunWhoseManifestHasOtherDomainsIsUnusable) {
  const auto file = [](const char* name) { return sha256(view(name)); };
  const Bytes bytes =
      format::write_data_manifest({{{file("t"), 100}}, {{file("h"), 100, "swahili"}}});
  fold::RunState run;
  EXPECT_EQ(read_run_manifest(run, bytes).error().code, ErrorCode::corrupt);
  run.domains = {"swahili"};
  EXPECT_TRUE(read_run_manifest(run, bytes).ok());
  run.domains = {"english", "swahili"};
  EXPECT_EQ(read_run_manifest(run, bytes).error().code, ErrorCode::corrupt);
  EXPECT_FALSE(read_run_manifest(run, View(bytes).first(bytes.size() - 1)).ok());
}

}  // namespace
}  // namespace harambee::node

#include "format/data.h"

#include <gtest/gtest.h>

namespace harambee::format {
namespace {

Digest digest_of(int n) { return sha256(view(std::to_string(n))); }

DataManifest small() { return {{{digest_of(1), 10}, {digest_of(2), 20}}, {{digest_of(3), 5}}}; }

TEST(DataManifest, RoundTrips) {
  const Bytes bytes = write_data_manifest(small());
  EXPECT_EQ(text(bytes), R"({"heldout":[{"digest":")" + digest_of(3).hex() +
                             R"(","size":5}],"train":[{"digest":")" + digest_of(1).hex() +
                             R"(","size":10},{"digest":")" + digest_of(2).hex() +
                             R"(","size":20}],"v":1})");
  const Result<DataManifest> parsed = parse_data_manifest(bytes);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, small());
  EXPECT_EQ(parsed->train_bytes(), 30u);
  EXPECT_EQ(parsed->heldout_bytes(), 5u);
}

TEST(DataManifest, RefusesWhatBreaksItsRules) {
  const std::string shard = R"({"digest":")" + digest_of(1).hex() + R"(","size":1})";
  const std::string other = R"({"digest":")" + digest_of(2).hex() + R"(","size":1})";
  const std::string good = "{\"heldout\":[" + shard + "],\"train\":[" + other + "],\"v\":1}";
  ASSERT_TRUE(parse_data_manifest(view(good)).ok());
  for (const std::string& bad : {
           std::string("{}"),
           "{\"heldout\":[],\"train\":[" + other + "],\"v\":1}",
           "{\"heldout\":[" + shard + "],\"train\":[],\"v\":1}",
           "{\"heldout\":[" + shard + "],\"train\":[" + shard + "],\"v\":1}",
           "{\"heldout\":[" + shard + "],\"train\":[" + other + "],\"v\":2}",
           "{\"heldout\":[" + shard + "],\"train\":[" + other + "],\"v\":1,\"w\":1}",
           "{\"heldout\":[1],\"train\":[" + other + "],\"v\":1}",
           "{\"heldout\":[{\"size\":1}],\"train\":[" + other + "],\"v\":1}",
           "{\"heldout\":[{\"digest\":\"00\",\"size\":1}],\"train\":[" + other + "],\"v\":1}",
           good + " ",
       }) {
    EXPECT_FALSE(parse_data_manifest(view(bad)).ok()) << bad;
  }
  std::string zero = good;
  zero.replace(zero.find("\"size\":1"), 8, "\"size\":0");
  EXPECT_FALSE(parse_data_manifest(view(zero)).ok());
  std::string negative = good;
  negative.replace(negative.find("\"size\":1"), 8, "\"size\":-1");
  EXPECT_FALSE(parse_data_manifest(view(negative)).ok());
}

TEST(DataManifest, LimitsTheNumberOfFiles) {
  DataManifest manifest = small();
  for (int i = 10; manifest.train.size() < kDataShardsMax; ++i) {
    manifest.train.push_back({digest_of(i), 1});
  }
  Bytes bytes = write_data_manifest(manifest);
  EXPECT_TRUE(parse_data_manifest(bytes).ok());
  std::string more(text(bytes));
  more.insert(more.find("],\"v\""), ",{\"digest\":\"" + digest_of(-1).hex() + "\",\"size\":1}");
  EXPECT_EQ(parse_data_manifest(view(more)).error().code, ErrorCode::limit);
}

}  // namespace
}  // namespace harambee::format

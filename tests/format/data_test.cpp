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
  // A run may measure nothing.
  EXPECT_TRUE(parse_data_manifest(view("{\"heldout\":[],\"train\":[" + other + "],\"v\":1}")).ok());
  std::string zero = good;
  zero.replace(zero.find("\"size\":1"), 8, "\"size\":0");
  EXPECT_FALSE(parse_data_manifest(view(zero)).ok());
  std::string negative = good;
  negative.replace(negative.find("\"size\":1"), 8, "\"size\":-1");
  EXPECT_FALSE(parse_data_manifest(view(negative)).ok());
}

TEST(DataManifest, NamesDomains) {
  const DataManifest manifest{{{digest_of(1), 10}, {digest_of(2), 20, "swahili"}},
                              {{digest_of(3), 5},
                               {digest_of(4), 6, "english"},
                               {digest_of(5), 7, "swahili"},
                               {digest_of(6), 8, "swahili"}}};
  const Bytes bytes = write_data_manifest(manifest);
  EXPECT_NE(text(bytes).find(R"("domain":"english","size":6)"), std::string_view::npos);
  const Result<DataManifest> parsed = parse_data_manifest(bytes);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, manifest);
  const std::vector<HeldOutDomain> domains{{"english", 5, 6}, {"swahili", 11, 15}};
  EXPECT_EQ(parsed->domains(), domains);
  EXPECT_TRUE(small().domains().empty());
}

TEST(DataManifest, RefusesDomainsThatDoNotFit) {
  const auto file = [](int n, const std::string& domain) {
    return R"({"digest":")" + digest_of(n).hex() + R"(",)" +
           (domain.empty() ? "" : "\"domain\":" + domain + ",") + "\"size\":1}";
  };
  const auto parses = [](const std::string& heldout, const std::string& train) {
    return parse_data_manifest(
               view("{\"heldout\":[" + heldout + "],\"train\":[" + train + "],\"v\":1}"))
        .ok();
  };
  const std::string a = file(1, "\"a\"");
  const std::string b = file(2, "\"b\"");
  const std::string train = file(9, "");
  EXPECT_TRUE(parses(a + "," + b, train));
  EXPECT_TRUE(parses(a + "," + b, file(9, "\"b\"")));
  EXPECT_FALSE(parses(b + "," + a, train));                           // not in order
  EXPECT_FALSE(parses(a + "," + b + "," + file(3, "\"a\""), train));  // not together
  EXPECT_FALSE(parses(a + "," + file(3, "") + "," + file(4, "\"a\""), train));
  EXPECT_FALSE(parses(a, file(9, "\"b\"")));  // nothing held out
  for (const char* name : {"\"\"", "\"A\"", "\"-a\"", "\"a-\"", "\"a b\"", "1", "null"}) {
    EXPECT_FALSE(parses(file(1, name), train)) << name;
  }
  EXPECT_TRUE(parses(file(1, "\"" + std::string(31, 'a') + "\""), train));
  EXPECT_FALSE(parses(file(1, "\"" + std::string(32, 'a') + "\""), train));
  std::string many;
  for (int i = 0; i < 9; ++i) {
    const std::string name{'"', static_cast<char>('a' + i), '"'};
    many += (i == 0 ? "" : ",") + file(10 + i, name);
    EXPECT_EQ(parses(many, train), i < 8) << i;
  }
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

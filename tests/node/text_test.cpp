#include "node/text.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/store/temporary_folder.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

class TextTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    fs::path file = fs::path(folder_.path()) / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  static std::string prose(int seed, int words) {
    std::string text;
    for (int i = 0; i < words; ++i) text += "word" + std::to_string(i * 7919 % 5003 + seed) + " ";
    return text;
  }
  Result<TextShards> read(std::vector<std::string> paths, unsigned shards = 8) {
    for (std::string& path : paths) path = folder_.path() + "/" + path;
    return read_text({.paths = paths, .shards = shards, .stop = {}}, 128);
  }
  TemporaryFolder folder_;
};

TEST_F(TextTest, TheSameTextGivesTheSameShardsWhereverItLies) {
  for (int i = 0; i < 40; ++i) write("a/" + std::to_string(i), prose(i * 6000, 2000));
  for (int i = 0; i < 40; ++i) write("b/x/" + std::to_string(90 - i), prose(i * 6000, 2000));
  Result<TextShards> a = read({"a"});
  Result<TextShards> b = read({"b"});
  Result<TextShards> both = read({"b", "a"});
  ASSERT_TRUE(a.ok() && b.ok() && both.ok());
  EXPECT_EQ(a->train, b->train);
  EXPECT_EQ(a->held_out, b->held_out);
  EXPECT_EQ(both->duplicate_bytes, a->bytes);
  EXPECT_EQ(both->bytes, a->bytes);
  EXPECT_EQ(a->train.size(), 8u);
}

TEST_F(TextTest, AboutSixPercentAreHeldOutAndNothingIsLost) {
  for (int i = 0; i < 200; ++i) write("a/" + std::to_string(i), prose(i * 6000, 2000));
  Result<TextShards> shards = read({"a"});
  ASSERT_TRUE(shards.ok());
  std::uint64_t train = 0;
  for (const Bytes& shard : shards->train) train += shard.size();
  EXPECT_EQ(train + shards->held_out.size(), shards->bytes);
  double part = static_cast<double>(shards->held_out.size()) / static_cast<double>(shards->bytes);
  EXPECT_GT(part, 0.02);
  EXPECT_LT(part, 0.12);
}

TEST_F(TextTest, WhatIsNoTextIsSkippedWithANote) {
  write("a/good", prose(1, 20000));
  write("a/program", std::string("\x7f"
                                 "ELF\0\0\0\0",
                                 8) +
                         prose(1, 100));
  write("a/.hidden", prose(2, 1000));
  write("a/.git/config", prose(3, 1000));
  Result<TextShards> shards = read({"a"});
  ASSERT_TRUE(shards.ok());
  EXPECT_EQ(shards->files, 1u);
  EXPECT_THAT(shards->notes, Contains(HasSubstr("program")));
}

TEST_F(TextTest, LittleTextStillGivesARunAndTooLittleIsSaid) {
  write("a", prose(1, 3000));
  Result<TextShards> little = read({"a"});
  ASSERT_TRUE(little.ok()) << little.error().message;
  EXPECT_GT(little->held_out.size(), 128u);
  write("b", "hello");
  EXPECT_EQ(read({"b"}).error().code, ErrorCode::invalid);
  EXPECT_EQ(read({"nowhere"}).error().code, ErrorCode::not_found);
  write("c", std::string(5000, '\0'));
  EXPECT_EQ(read({"c"}).error().code, ErrorCode::invalid);
}

TEST_F(TextTest, TheLimitIsKeptAndSaid) {
  for (int i = 0; i < 10; ++i) write("a/" + std::to_string(i), prose(i * 6000, 2000));
  Result<TextShards> shards = read_text(
      {.paths = {folder_.path() + "/a"}, .shards = 4, .bytes_max = 60'000, .stop = {}}, 128);
  ASSERT_TRUE(shards.ok());
  EXPECT_LE(shards->bytes, 60'000u);
  EXPECT_FALSE(shards->notes.empty());
}

}  // namespace
}  // namespace harambee::node

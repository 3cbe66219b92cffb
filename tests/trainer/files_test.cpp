#include "trainer/exact/files.h"

#include "support.h"

namespace harambee::trainer {
namespace {

AdamW some_state(const format::ModelLayout& layout) {
  AdamW a = AdamW::make(layout).value();
  Numbers numbers("state");
  for (float& x : a.m()) x = numbers.next();
  for (float& x : a.v()) x = std::fabs(numbers.next());
  a.set_steps(12345);
  return a;
}

TEST(StateFile, RoundTripsAndIsNamedByItsBytes) {
  Folder folder;
  const auto layout = format::ModelLayout::make(odd_config()).value();
  const AdamW before = some_state(layout);
  const Digest digest = write_state(before, folder / "s").value();
  const std::string bytes = folder.read("s");
  EXPECT_EQ(digest, sha256(view(bytes)));
  EXPECT_FALSE(std::filesystem::exists(folder / "s.part"));
  AdamW after = AdamW::make(layout).value();
  ASSERT_TRUE(read_state(folder / "s", after).ok());
  EXPECT_EQ(after.steps(), 12345u);
  EXPECT_EQ(std::memcmp(after.m().data(), before.m().data(), before.m().size_bytes()), 0);
  EXPECT_EQ(std::memcmp(after.v().data(), before.v().data(), before.v().size_bytes()), 0);
}

TEST(StateFile, RefusesEveryOtherFile) {
  Folder folder;
  const auto layout = format::ModelLayout::make(odd_config()).value();
  AdamW state = some_state(layout);
  ASSERT_TRUE(write_state(state, folder / "s").ok());
  const std::string good = folder.read("s");
  AdamW after = AdamW::make(layout).value();
  const auto refuses = [&](const std::string& bytes) {
    return !read_state(folder.write("bad", bytes), after).ok();
  };
  EXPECT_TRUE(refuses(""));
  EXPECT_TRUE(refuses(good.substr(0, good.size() - 4)));
  EXPECT_TRUE(refuses(good + "0000"));
  std::string bad = good;
  bad[bad.find("steps") + 8] = '0';  // a leading zero: the same number in another way
  EXPECT_TRUE(refuses(bad));
  bad = good;
  bad.replace(bad.find("adamw-1"), 7, "adamw-2");
  EXPECT_TRUE(refuses(bad));
  const float nan = NAN, negative = -1;
  bad = good;
  std::memcpy(bad.data() + bad.size() - 8 * state.m().size(), &nan, 4);
  EXPECT_TRUE(refuses(bad));
  bad = good;
  std::memcpy(bad.data() + bad.size() - 4, &negative, 4);
  EXPECT_TRUE(refuses(bad));
  EXPECT_EQ(read_state(folder / "absent", after).error().code, ErrorCode::not_found);
  EXPECT_TRUE(read_state(folder / "s", after).ok());
}

TEST(WeightsFile, RefusesOtherModelsAndNumbersThatAreNotFinite) {
  Folder folder;
  const auto layout = format::ModelLayout::make(odd_config()).value();
  std::vector<float> p(layout.parameters(), 0.5f), back(p.size());
  EXPECT_EQ(write_weights(layout, p, folder / "w").value(), format::weights_digest(layout, p));
  EXPECT_TRUE(read_weights(layout, folder / "w", back).ok());
  EXPECT_EQ(back, p);
  format::ModelConfig other = odd_config();
  other.ffn += 1;
  const auto other_layout = format::ModelLayout::make(other).value();
  std::vector<float> room(other_layout.parameters());
  EXPECT_FALSE(read_weights(other_layout, folder / "w", room).ok());
  std::string bytes = folder.read("w");
  const float infinite = INFINITY;
  std::memcpy(bytes.data() + bytes.size() - 4, &infinite, 4);
  EXPECT_FALSE(read_weights(layout, folder.write("bad", bytes), back).ok());
  p[3] = NAN;
  EXPECT_FALSE(write_weights(layout, p, folder / "nan").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "nan"));
}

TEST(Corpus, ReadsAcrossFiles) {
  Folder folder;
  const std::vector<std::string> paths = {folder.write("a", "abc"), folder.write("b", ""),
                                          folder.write("c", "defg")};
  const Corpus corpus = Corpus::open(paths, 6).value();
  EXPECT_EQ(corpus.size(), 7u);
  std::vector<Token> out(7);
  corpus.read(0, out);
  EXPECT_EQ(std::string(out.begin(), out.end()), "abcdefg");
  out.resize(2);
  corpus.read(2, out);
  EXPECT_EQ(std::string(out.begin(), out.end()), "cd");
  EXPECT_FALSE(Corpus::open(paths, 7).ok());
  EXPECT_FALSE(Corpus::open({folder / "absent"}, 1).ok());
  EXPECT_FALSE(Corpus::open({folder.path()}, 1).ok());
}

}  // namespace
}  // namespace harambee::trainer

#include "base/rng.h"

#include <gtest/gtest.h>

#include <set>

namespace harambee {
namespace {

// Vigna's xoshiro256starstar.c from the state {1, 2, 3, 4}.
TEST(Rng, FollowsTheReference) {
  Digest seed;
  for (std::size_t i = 0; i < 4; ++i) seed.bytes[8 * i + 7] = static_cast<std::uint8_t>(i + 1);
  Rng rng(seed);
  for (const std::uint64_t expected : {11520ull, 0ull, 1509978240ull, 1215971899390074240ull,
                                       1216172134540287360ull, 607988272756665600ull}) {
    EXPECT_EQ(rng.next(), expected);
  }
}

TEST(Rng, TheZeroDigestIsASeedToo) {
  Rng rng(Digest{});
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(rng.next());
  EXPECT_GT(seen.size(), 90u);
}

TEST(Rng, BelowStaysBelowAndReachesEverything) {
  Rng rng(sha256(view("seed")));
  std::array<int, 7> counts{};
  for (int i = 0; i < 7000; ++i) ++counts.at(rng.below(7));
  for (const int count : counts) EXPECT_GT(count, 800);
  EXPECT_EQ(rng.below(1), 0u);
}

TEST(Draw, IsTheFirstEightBytesOfTheHashOfThePlace) {
  const Digest seed = sha256(view("seed"));
  Bytes joined(seed.bytes.begin(), seed.bytes.end());
  put_u64be(joined, 3);
  put_u64be(joined, 0x0102030405060708);
  EXPECT_EQ(draw(seed, 3, 0x0102030405060708), get_u64be(sha256(joined).bytes.data()));
}

}  // namespace
}  // namespace harambee

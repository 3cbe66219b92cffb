#include "exact/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>

#include "exact/math.h"
#include "tests/exact/numbers.h"

namespace {
std::size_t allocated_bytes = 0;
}  // namespace
// Counts what this program takes, for the promise about memory.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace harambee::exact {
namespace {

using Kind = Codec::Kind;

struct Contributions {
  std::vector<Bytes> blobs;
  std::vector<Delta> deltas;
};

Contributions contributions(std::size_t count, std::size_t n, const Codec& codec) {
  Contributions out;
  Rng rng = rng_of("contributions");
  for (std::size_t i = 0; i < count; ++i) {
    // Scales over three octaves: some are clipped, exponents differ.
    std::vector<float> residual = heavy(rng, n, 0.001F * static_cast<float>(1u << (i % 4)));
    out.blobs.push_back(encode(codec, test_base(), residual).value());
  }
  for (const Bytes& blob : out.blobs) {
    out.deltas.push_back(Delta::parse(blob, n, codec, test_base()).value());
  }
  return out;
}

std::vector<float> aggregated(std::span<const Delta> deltas) {
  std::vector<float> out(deltas[0].parameters(), 7.0F);
  EXPECT_TRUE(aggregate(deltas, out).ok());
  return out;
}

// out ← β·out + u, as spec/outer-step.md §2 and §3 say it.
void add_slowly(std::span<const Delta> deltas, const Weights& weights, float beta,
                std::vector<float>& out) {
  std::vector<std::int64_t> sum(out.size());
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    Delta::Chunk chunk;
    std::size_t at = 0;
    for (Delta::Cursor cursor(deltas[i]); !cursor.done(); at += kChunk) {
      cursor.next(chunk);
      for (std::uint32_t j = 0; j < chunk.size; ++j) {
        sum[at + chunk.place[j]] += std::int64_t{weights.weight[i]} * chunk.value[j];
      }
    }
  }
  const double scale = power_of_two(weights.exponent) / weights.divisor;
  for (std::size_t j = 0; j < out.size(); ++j) {
    out[j] = beta * out[j] + static_cast<float>(static_cast<double>(sum[j]) * scale);
  }
}

SquaredNorm norm(SquaredNorm::Integer integer, int exponent) { return {integer, exponent}; }

// Few values of a chunk are looked at one by one, many all at once; and where u could be rounded to
// −0, all are.
TEST(Aggregate, IsTheSameForFewAndForMany) {
  const std::size_t n = 2 * kChunk + 777;
  for (const auto& [count, keep] : {std::pair{3u, 32u}, {16u, 64u}, {20u, 64u}}) {
    const Contributions of = contributions(count, n, Codec{Codec::Kind::sign, keep, Decimal{}});
    std::vector<SquaredNorm> norms;
    for (const Delta& delta : of.deltas) norms.push_back(delta.squared_norm());
    for (const int lower : {0, 40, 140, 170}) {
      Weights weights = clip_weights(norms);
      weights.exponent -= lower;
      for (const float beta : {1.0F, 0.9F}) {
        Rng rng = rng_of("residual");
        std::vector<float> want = heavy(rng, n, 0x1p-130F);
        for (std::size_t i = 0; i < n; i += 3) want[i] = i % 2 == 0 ? 0.0F : -0.0F;
        std::vector<float> got = want;
        add_slowly(of.deltas, weights, beta, want);
        Aggregate mean = Aggregate::make(of.deltas, weights, nullptr).value();
        for (std::span<float> rest(got); !mean.done();) {
          rest = rest.subspan(mean.add_next(rest, beta));
        }
        ASSERT_EQ(std::memcmp(got.data(), want.data(), 4 * n), 0) << count << " " << lower;
      }
      std::vector<float> want(n), got(n, 5.0F);
      add_slowly(of.deltas, weights, 0.0F, want);
      ASSERT_TRUE(aggregate(of.deltas, weights, nullptr, got).ok());
      for (std::size_t j = 0; j < n; ++j) ASSERT_EQ(got[j], want[j]) << count << " " << lower;
    }
  }
}

TEST(SquaredNorm, ComparesByValue) {
  EXPECT_EQ(norm(4, 0), norm(1, 1));
  EXPECT_LT(norm(3, 0), norm(1, 1));
  EXPECT_GT(norm(5, 0), norm(1, 1));
  EXPECT_EQ(norm(0, 5), norm(0, -5));
  EXPECT_LT(norm(0, 24), norm(1, -126));
  const SquaredNorm::Integer big = static_cast<SquaredNorm::Integer>(1) << 100;
  EXPECT_EQ(norm(big, -60), norm(1, -10));
  EXPECT_LT(norm(big, -60), norm(big + 1, -60));
  EXPECT_LT(norm(big - 1, -60), norm(1, -10));
  EXPECT_GT(norm(1, 24), norm(big, -126));
}

TEST(SquaredNorm, DigitsRoundTrip) {
  const SquaredNorm::Integer big = (static_cast<SquaredNorm::Integer>(1) << 86) - 1;
  EXPECT_EQ(norm(big, 0).digits(), "77371252455336267181195263");
  for (const auto integer : {SquaredNorm::Integer{0}, SquaredNorm::Integer{10}, big}) {
    EXPECT_TRUE(SquaredNorm::from_digits(norm(integer, 3).digits(), 3)->integer == integer);
  }
  for (const char* bad : {"", "01", "-1", "1.0", "x", "100000000000000000000000000000000000000"}) {
    EXPECT_FALSE(SquaredNorm::from_digits(bad, 0).ok()) << bad;
  }
  EXPECT_FALSE(SquaredNorm::from_digits("1", kExponentMax + 1).ok());
  EXPECT_FALSE(SquaredNorm::from_digits("1", kExponentMin - 1).ok());
}

TEST(Math, IntegerSquareRoot) {
  EXPECT_EQ(isqrt(0), 0u);
  EXPECT_EQ(isqrt(15), 3u);
  EXPECT_EQ(isqrt(16), 4u);
  EXPECT_EQ(isqrt(~uint128{0}), ~std::uint64_t{0});
  Rng rng = rng_of("isqrt");
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t root = rng.next() >> (i % 60);
    EXPECT_EQ(isqrt(static_cast<uint128>(root) * root), root);
    if (root > 0) {
      EXPECT_EQ(isqrt(static_cast<uint128>(root) * root - 1), root - 1);
    }
  }
}

TEST(Weights, MedianIsTheLowerOne) {
  EXPECT_EQ(median(std::vector{norm(3, 0), norm(1, 0), norm(2, 0), norm(9, 0)}), norm(2, 0));
  EXPECT_EQ(median(std::vector{norm(3, 0)}), norm(3, 0));
}

TEST(Weights, ClipToTheMedian) {
  EXPECT_EQ(clip(norm(4, 0), norm(4, 0)), 1.0);
  EXPECT_EQ(clip(norm(1, 0), norm(4, 0)), 1.0);
  EXPECT_EQ(clip(norm(16, 0), norm(4, 0)), 0.5);
  EXPECT_EQ(clip(norm(1, 24), norm(1, -126)), std::ldexp(1.0, -150));
  EXPECT_EQ(clip(norm(2, 0), norm(1, 0)), std::sqrt(0.5));
  EXPECT_EQ(clip(norm(2, 0), norm(0, 0)), 0.0);
  EXPECT_EQ(clip(norm(0, 0), norm(0, 0)), 1.0);
}

TEST(Weights, AreQ230WithTheExponentsFoldedIn) {
  // Norms 4, 2, 1, 2 × 2^2 and 0; the median is 2, so the clips are 0.5, 1, 1, 0.25 and 1.
  const Weights w =
      clip_weights(std::vector{norm(16, 0), norm(4, 0), norm(1, 0), norm(4, 2), norm(0, 0)});
  const double unit = std::ldexp(1.0, w.exponent);
  EXPECT_EQ(w.weight[0] * unit, 0.5);
  EXPECT_EQ(w.weight[1] * unit, 1.0);
  EXPECT_EQ(w.weight[2] * unit, 1.0);
  EXPECT_EQ(w.weight[3] * unit, 0.25 * 4);
  EXPECT_EQ(w.weight[4], 0u);
  EXPECT_GE(*std::max_element(w.weight.begin(), w.weight.end()), 1u << 29);
}

TEST(Weights, OneGiantDoesNotDrownTheOthers) {
  std::vector<SquaredNorm> norms(9, norm(1'000'000'000, -20));
  norms.push_back(norm(1, kExponentMax));
  const Weights w = clip_weights(norms);
  // The giant sends one coordinate, so it may weigh more per unit, but no more in all.
  EXPECT_GT(w.weight[0], 1u << 12);
  EXPECT_NEAR(w.weight[0] * std::sqrt(1e9), w.weight[9], w.weight[9] * 1e-4);
}

TEST(Aggregate, IsTheClippedMean) {
  for (const Codec& codec : all_codecs()) {
    const std::size_t n = 9'001;
    const Contributions all = contributions(7, n, codec);
    const std::vector<float> u = aggregated(all.deltas);
    std::vector<SquaredNorm> norms;
    for (const Delta& delta : all.deltas) norms.push_back(delta.squared_norm());
    std::vector<double> want(n);
    for (const Delta& delta : all.deltas) {
      const double factor = clip(delta.squared_norm(), median(norms)) / 7;
      const std::vector<float> values = decode(delta);
      for (std::size_t i = 0; i < n; ++i) want[i] += factor * static_cast<double>(values[i]);
    }
    for (std::size_t i = 0; i < n; ++i) ASSERT_NEAR(u[i], want[i], 1e-7) << i;
  }
}

TEST(Aggregate, DoesNotDependOnTheOrder) {
  for (const Codec& codec : all_codecs()) {
    Contributions all = contributions(9, 6'000, codec);
    const std::vector<float> u = aggregated(all.deltas);
    std::mt19937 shuffler(1);
    for (int i = 0; i < 5; ++i) {
      std::shuffle(all.deltas.begin(), all.deltas.end(), shuffler);
      EXPECT_EQ(aggregated(all.deltas), u);
    }
  }
}

TEST(Aggregate, OneContributionIsItself) {
  for (const Codec& codec : all_codecs()) {
    const Contributions one = contributions(1, 5'000, codec);
    EXPECT_EQ(aggregated(one.deltas), decode(one.deltas[0]));
  }
}

TEST(Aggregate, SilentContributionsCountAsZeros) {
  const Codec codec = codec_of(Kind::sign, 32);
  Contributions some = contributions(3, 5'000, codec);
  std::vector<float> silent(5'000);
  const Bytes nothing = encode(codec, test_base(), silent).value();
  some.deltas.push_back(Delta::parse(nothing, 5'000, codec, test_base()).value());
  const std::vector<float> u = aggregated(some.deltas);
  EXPECT_TRUE(std::any_of(u.begin(), u.end(), [](float x) { return x != 0; }));
  some.deltas.assign(3, some.deltas.back());
  EXPECT_EQ(aggregated(some.deltas), silent);
}

TEST(Aggregate, RefusesWhatItCannotSum) {
  EXPECT_EQ(Aggregate::make({}).error().code, ErrorCode::invalid);
  const Codec codec = codec_of(Kind::sign, 1);
  const Contributions a = contributions(1, 5, codec), b = contributions(1, 6, codec);
  EXPECT_EQ(Aggregate::make(std::vector{a.deltas[0], b.deltas[0]}).error().code,
            ErrorCode::invalid);
  EXPECT_EQ(Aggregate::make(std::vector(kContributionsMax + 1, a.deltas[0])).error().code,
            ErrorCode::limit);
  EXPECT_TRUE(Aggregate::make(std::vector(kContributionsMax, a.deltas[0])).ok());
}

TEST(Aggregate, TheLargestSumFits) {
  // 1024 times the largest integers that a delta can hold.
  std::vector<float> extreme(3, 127.0F * 65'535);
  const Codec codec = codec_of(Kind::dense, 0);
  const Bytes blob = encode(codec, test_base(), extreme).value();
  const Delta delta = Delta::parse(blob, 3, codec, test_base()).value();
  const std::vector<float> u = aggregated(std::vector(kContributionsMax, delta));
  EXPECT_EQ(u[0], 127.0F * 65'535);
}

TEST(Aggregate, MemoryDoesNotGrowWithTheModelAndHardlyWithContributions) {
  const Codec codec = codec_of(Kind::sign, 32);
  const auto taken = [&](std::size_t count, std::size_t n) {
    const Contributions all = contributions(count, n, codec);
    std::vector<float> chunk(kChunk);
    const std::size_t before = allocated_bytes;
    Result<Aggregate> made = Aggregate::make(all.deltas);
    while (!made->done()) (void)made->next(chunk);
    return allocated_bytes - before;
  };
  const std::size_t small = taken(4, 5'000);
  EXPECT_EQ(taken(4, 200'000), small);
  // Besides the fixed part: a stream's state, and while it is made its description, a norm with
  // its copy, a factor; vectors that grow take twice as much on the way.
  EXPECT_LE(taken(36, 5'000) - small, 32u * 3 * 96);
}

}  // namespace
}  // namespace harambee::exact

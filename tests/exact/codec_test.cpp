#include "exact/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/exact/numbers.h"

namespace harambee::exact {
namespace {

using Kind = Codec::Kind;

struct Coded {
  Bytes blob;
  std::vector<float> residual;
  std::vector<float> decoded;
};

Coded code(const Codec& codec, std::vector<float> residual) {
  Result<Bytes> blob = encode(codec, test_base(), residual);
  EXPECT_TRUE(blob.ok()) << blob.error().message;
  const Result<Delta> delta = Delta::parse(*blob, residual.size(), codec, test_base());
  EXPECT_TRUE(delta.ok()) << delta.error().message;
  return {*blob, std::move(residual), decode(*delta)};
}

std::vector<std::size_t> sent_places(const std::vector<float>& decoded) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (decoded[i] != 0) out.push_back(i);
  }
  return out;
}

TEST(Codec, RecipeFormRoundTrips) {
  for (const Codec& codec : all_codecs()) {
    EXPECT_EQ(codec_from_json(to_json(codec)).value(), codec);
  }
  EXPECT_EQ(write(to_json(codec_of(Kind::sign, 32))),
            R"({"feedback":"0.95","keep":32,"name":"sign"})");
  for (const char* bad : {
           R"({"feedback":"0.95","keep":32,"name":"signs"})",
           R"({"feedback":"1.01","keep":32,"name":"sign"})",
           R"({"feedback":"-0.1","keep":32,"name":"sign"})",
           R"({"feedback":1,"keep":32,"name":"sign"})",
           R"({"feedback":"1","keep":0,"name":"sign"})",
           R"({"feedback":"1","keep":2049,"name":"sign"})",
           R"({"feedback":"1","keep":-1,"name":"sign"})",
           R"({"feedback":"1","keep":32,"name":"int4"})",
           R"({"feedback":"1","keep":32})",
           R"({"feedback":"1","keep":32,"more":1,"name":"sign"})",
           R"([])",
       }) {
    EXPECT_FALSE(codec_from_json(parse_canonical(view(bad)).value()).ok()) << bad;
  }
}

TEST(Encode, WhatIsSentAndWhatStaysAddUp) {
  for (const Codec& codec : all_codecs()) {
    for (const std::size_t n : {1u, 7u, 64u, 4'095u, 4'096u, 4'097u, 20'000u}) {
      Rng rng = rng_of("add up " + std::to_string(n));
      const std::vector<float> before = heavy(rng, n, 0.01F);
      const Coded coded = code(codec, before);
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(coded.residual[i], before[i] - coded.decoded[i]) << n << " at " << i;
      }
    }
  }
}

TEST(Encode, KeepsTheLargestOfEachChunk) {
  Rng rng = rng_of("largest");
  const std::vector<float> before = heavy(rng, 3 * kChunk + 100, 1.0F);
  const Coded coded = code(codec_of(Kind::sign, 32), before);
  for (std::size_t at = 0; at < before.size(); at += kChunk) {
    const std::size_t n = std::min<std::size_t>(kChunk, before.size() - at);
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), at);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::fabs(before[a]) > std::fabs(before[b]);
    });
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(coded.decoded[order[i]] != 0, i < 32) << at << " rank " << i;
    }
    // One scale: the mean of what is kept, to 16 bits.
    double sum = 0;
    for (std::size_t i = 0; i < 32; ++i) sum += std::fabs(before[order[i]]);
    EXPECT_NEAR(std::fabs(coded.decoded[order[0]]), sum / 32, sum / 32 * 0x1p-14);
    EXPECT_EQ(std::signbit(coded.decoded[order[0]]), std::signbit(before[order[0]]));
  }
}

TEST(Encode, TheLowestPlaceWinsTies) {
  std::vector<float> equal(kChunk, -2.0F);
  equal[5] = 3.0F;
  EXPECT_THAT(sent_places(code(codec_of(Kind::sign, 4), equal).decoded),
              testing::ElementsAre(0, 1, 2, 5));
}

TEST(Encode, ZerosAreNeverSent) {
  std::vector<float> few(kChunk);
  few[17] = 1.0F;
  few[4'000] = -1.0F;
  few[4'001] = -0.0F;
  const Coded coded = code(codec_of(Kind::sign, 32), few);
  EXPECT_THAT(sent_places(coded.decoded), testing::ElementsAre(17, 4'000));
  EXPECT_EQ(coded.decoded[17], 1.0F);
  EXPECT_EQ(coded.decoded[4'000], -1.0F);
}

TEST(Encode, NothingIsAlsoADelta) {
  for (const Codec& codec : all_codecs()) {
    for (const float tiny : {0.0F, -0.0F, 1e-40F}) {
      const Coded coded = code(codec, std::vector<float>(5'000, tiny));
      EXPECT_TRUE(sent_places(coded.decoded).empty());
      EXPECT_EQ(coded.residual, std::vector<float>(5'000, tiny));
      EXPECT_EQ(coded.blob.size(), 84u + 4);
    }
  }
}

TEST(Encode, AChunkTooSmallForTheSharedExponentWaits) {
  std::vector<float> uneven(2 * kChunk, 1e-9F);
  uneven[0] = 1.0F;
  for (const Codec& codec : {codec_of(Kind::sign, 1), codec_of(Kind::two_level, 1)}) {
    const Coded coded = code(codec, uneven);
    EXPECT_THAT(sent_places(coded.decoded), testing::ElementsAre(0));
    EXPECT_EQ(coded.residual[kChunk], 1e-9F);
  }
}

TEST(Encode, TwoLevelsFollowTheMagnitudes) {
  std::vector<float> values(kChunk);
  values[1] = 1.0F;
  values[2] = -1.0F;
  values[3] = 8.0F;
  values[4] = 1e-7F;
  const Coded coded = code(codec_of(Kind::two_level, 3), values);
  EXPECT_THAT(std::vector<float>(coded.decoded.begin(), coded.decoded.begin() + 5),
              testing::ElementsAre(0.0F, 1.0F, -1.0F, 8.0F, 0.0F));
  // A low level that rounds to nothing becomes the smallest step.
  values[1] = values[2] = 1e-7F;
  const Coded far = code(codec_of(Kind::two_level, 3), values);
  EXPECT_EQ(far.decoded[1], 8.0F / 32'768);
}

TEST(Encode, DenseCodesAreTheNearestSteps) {
  Rng rng = rng_of("dense");
  const std::vector<float> before = bell(rng, 10'000, 0.5F);
  const Coded coarse = code(codec_of(Kind::int4, 0), before);
  const Coded fine = code(codec_of(Kind::dense, 0), before);
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_LT(std::fabs(coarse.residual[i]), 3.0 / 7 * 0.501);
    ASSERT_LT(std::fabs(fine.residual[i]), 3.0 / 127 * 0.501);
  }
}

TEST(Encode, RefusesNumbersThatAreNone) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          -std::numeric_limits<float>::infinity(), kMagnitudeMax}) {
    for (const Codec& codec : all_codecs()) {
      std::vector<float> values(kChunk + 5, 1.0F);
      values[kChunk + 3] = bad;
      const std::vector<float> before = values;
      EXPECT_EQ(encode(codec, test_base(), values).error().code, ErrorCode::limit);
      EXPECT_EQ(values[0], 1.0F) << "a refusal changes nothing";
    }
  }
  std::vector<float> none;
  EXPECT_FALSE(encode(codec_of(Kind::sign, 32), test_base(), none).ok());
  std::vector<float> one(1, 1.0F);
  EXPECT_FALSE(encode(codec_of(Kind::sign, 0), test_base(), one).ok());
  one[0] = std::nextafter(kMagnitudeMax, 0.0F);
  EXPECT_TRUE(encode(codec_of(Kind::sign, 1), test_base(), one).ok());
}

TEST(Encode, StaysWithinItsPromisedSize) {
  Rng rng = rng_of("size");
  const std::size_t n = 1'246'848;
  const auto bits = [&](std::uint32_t keep, std::vector<float> values) {
    return 8.0 * static_cast<double>(code(codec_of(Kind::sign, keep), values).blob.size()) /
           static_cast<double>(n);
  };
  EXPECT_LE(bits(32, bell(rng, n, 1e-3F)), 0.080);
  EXPECT_LE(bits(32, heavy(rng, n, 1e-3F)), 0.080);
  EXPECT_LE(bits(64, bell(rng, n, 1e-3F)), 0.140);
  EXPECT_LE(bits(64, heavy(rng, n, 1e-3F)), 0.140);
}

TEST(Encode, ErrorFeedbackDeliversEverythingInTheEnd) {
  // With decay 1 and no new gradient, the residual drains.
  Rng rng = rng_of("drain");
  std::vector<float> residual = bell(rng, kChunk, 1.0F);
  const auto norm = [](const std::vector<float>& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  const double start = norm(residual);
  for (int round = 0; round < 64; ++round) {
    ASSERT_TRUE(encode(codec_of(Kind::sign, 256), test_base(), residual).ok());
  }
  EXPECT_LT(norm(residual), 0.05 * start);
}

TEST(Accumulate, RoundsAfterEachStep) {
  std::vector<float> e{1.0F, 0x1p-24F, -3.0F};
  const std::vector<float> base{1.0F, 1.0F, 0.5F}, trained{0.5F, 0.0F, 0.25F};
  const std::vector<float> before = e;
  accumulate(e, Decimal{950'000'000}, base, trained);
  for (std::size_t i = 0; i < e.size(); ++i) {
    volatile float product = 0.95F * before[i];
    volatile float difference = base[i] - trained[i];
    volatile float sum = product + difference;
    EXPECT_EQ(e[i], sum);
  }
}

}  // namespace
}  // namespace harambee::exact

#include "exact/outer_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/encoding.h"
#include "exact/aggregate.h"
#include "tests/exact/numbers.h"

namespace harambee::exact {
namespace {

using Kind = Codec::Kind;

const Codec kUp = codec_of(Kind::sign, 32);
const Codec kDown{Kind::sign, 256, Decimal{1'000'000'000}};
const Decimal kRate{3'000'000'000};

struct Round {
  std::vector<Bytes> blobs;
  std::vector<Delta> deltas;
};

Round make_round(int seed, std::size_t n, int count) {
  Round round;
  Rng rng = rng_of("round " + std::to_string(seed));
  for (int i = 0; i < count; ++i) {
    std::vector<float> residual = heavy(rng, n, 0.002F);
    round.blobs.push_back(encode(kUp, test_base(), residual).value());
  }
  for (const Bytes& blob : round.blobs) {
    round.deltas.push_back(Delta::parse(blob, n, kUp, test_base()).value());
  }
  return round;
}

RunNumbers start(std::size_t n) {
  Rng rng = rng_of("start");
  return {bell(rng, n, 0.02F), std::vector<float>(n)};
}

TEST(OuterStep, IsTheFormula) {
  const std::size_t n = 9'000;
  RunNumbers state = start(n);
  Rng rng = rng_of("old residual");
  state.residual = bell(rng, n, 0.0001F);
  const Codec down{Kind::sign, 256, Decimal{900'000'000}};
  const RunNumbers before = state;
  const Round round = make_round(0, n, 5);
  const Bytes blob = close_round(down, kRate, test_base(), round.deltas, state).value();

  std::vector<float> u(n), r(n);
  ASSERT_TRUE(aggregate(round.deltas, u).ok());
  for (std::size_t i = 0; i < n; ++i) {
    volatile float kept = 0.9F * before.residual[i];
    r[i] = kept + u[i];
  }
  EXPECT_EQ(encode(down, test_base(), r).value(), blob);
  EXPECT_EQ(r, state.residual);
  const Delta update = Delta::parse(blob, n, down, test_base()).value();
  const std::vector<float> sent = decode(update);
  for (std::size_t i = 0; i < n; ++i) {
    volatile float step = 3.0F * sent[i];
    ASSERT_EQ(state.weights[i], before.weights[i] - step) << i;
  }
}

// The worked example of spec/outer-step.md.
TEST(OuterStep, WorkedExample) {
  const Codec up = codec_of(Kind::sign, 2), down{Kind::sign, 1, Decimal{1'000'000'000}};
  const Digest base = sha256({});
  std::vector<Bytes> blobs;
  std::vector<Delta> deltas;
  for (std::vector<float> residual :
       {std::vector<float>{0.5F, 0.0F, -0.5F, 0.0F}, std::vector<float>{0.0F, 0.25F, 0.0F, 0.25F},
        std::vector<float>{0.125F, 0.125F, 0.0F, 0.0F}}) {
    blobs.push_back(encode(up, base, residual).value());
  }
  std::vector<SquaredNorm> norms;
  for (const Bytes& blob : blobs) {
    deltas.push_back(Delta::parse(blob, 4, up, base).value());
    norms.push_back(deltas.back().squared_norm());
    EXPECT_TRUE(norms.back().integer == SquaredNorm::Integer{1} << 31);
  }
  const Weights weights = clip_weights(norms);
  EXPECT_EQ(weights.weight, (std::vector<std::uint32_t>{1u << 29, 1u << 29, 1u << 28}));
  EXPECT_EQ(weights.exponent, -46);
  std::vector<float> u(4);
  ASSERT_TRUE(aggregate(deltas, u).ok());
  EXPECT_EQ(u, (std::vector<float>{0.125F, 0.125F, -0.083333336F, 0.083333336F}));

  RunNumbers state{std::vector<float>(4, 1.0F), std::vector<float>(4)};
  const Bytes update = close_round(down, kRate, base, deltas, state).value();
  EXPECT_EQ(state.weights, (std::vector<float>{0.625F, 1.0F, 1.0F, 1.0F}));
  EXPECT_EQ(state.residual, (std::vector<float>{0.0F, 0.125F, -0.083333336F, 0.083333336F}));
  EXPECT_EQ(hex(update),
            "48424431010201000400000000000000eeff0000e3b0c44298fc1c149afbf4c8"
            "996fb92427ae41e4649b934ca495991b7852b855" +
                std::string(64, '0') + "00800100");
}

TEST(OuterStep, FollowersArriveAtTheSameBits) {
  const std::size_t n = 20'000;
  RunNumbers coordinator = start(n);
  std::vector<float> follower = coordinator.weights;
  for (int r = 0; r < 4; ++r) {
    const Round round = make_round(r, n, 4);
    const Bytes blob = close_round(kDown, kRate, test_base(), round.deltas, coordinator).value();
    apply_update(Delta::parse(blob, n, kDown, test_base()).value(), kRate, follower);
    EXPECT_EQ(floats_digest(follower), floats_digest(coordinator.weights));
  }
}

TEST(OuterStep, TheOrderOfContributionsDoesNotMatter) {
  const std::size_t n = 8'000;
  Round round = make_round(1, n, 6);
  RunNumbers forwards = start(n), backwards = start(n);
  const Bytes a = close_round(kDown, kRate, test_base(), round.deltas, forwards).value();
  std::reverse(round.deltas.begin(), round.deltas.end());
  const Bytes b = close_round(kDown, kRate, test_base(), round.deltas, backwards).value();
  EXPECT_EQ(a, b);
  EXPECT_EQ(forwards.weights, backwards.weights);
  EXPECT_EQ(forwards.residual, backwards.residual);
}

TEST(OuterStep, RefusalsChangeNothing) {
  const std::size_t n = 100;
  const Round round = make_round(2, n, 2);
  RunNumbers state = start(n);
  const RunNumbers before = state;
  EXPECT_FALSE(close_round(kDown, kRate, test_base(), {}, state).ok());
  EXPECT_FALSE(close_round(kDown, Decimal{-1}, test_base(), round.deltas, state).ok());
  EXPECT_FALSE(
      close_round(kDown, Decimal{kOuterRateNanosMax + 1}, test_base(), round.deltas, state).ok());
  EXPECT_FALSE(close_round(codec_of(Kind::sign, 0), kRate, test_base(), round.deltas, state).ok());
  EXPECT_EQ(state.weights, before.weights);
  EXPECT_EQ(state.residual, before.residual);
  RunNumbers shorter = start(n - 1);
  EXPECT_FALSE(close_round(kDown, kRate, test_base(), round.deltas, shorter).ok());
  state.residual[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(close_round(kDown, kRate, test_base(), round.deltas, state).error().code,
            ErrorCode::limit);
}

TEST(OuterStep, FloatsDigestIsThatOfTheirBytes) {
  EXPECT_EQ(floats_digest(std::vector<float>{}), sha256({}));
  const Bytes one{0, 0, 0x80, 0x3F};
  EXPECT_EQ(floats_digest(std::vector<float>{1.0F}), sha256(one));
}

}  // namespace
}  // namespace harambee::exact

#include "exact/outer_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

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

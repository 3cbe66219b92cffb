#include "exact/robust.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "exact/outer_step.h"
#include "exact/points.h"
#include "tests/exact/numbers.h"

namespace harambee::exact {
namespace {

using Kind = RobustRule::Kind;
const Decimal kAll{1'000'000'000};
const Codec kSigns = codec_of(Codec::Kind::sign, 32);

struct Deltas {
  std::vector<Bytes> blobs;
  std::vector<Delta> deltas;

  void add(std::vector<float> values, const Codec& codec) {
    const std::size_t n = values.size();
    blobs.push_back(encode(codec, test_base(), values).value());
    deltas.push_back(Delta::parse(blobs.back(), n, codec, test_base()).value());
  }
};

Deltas random_deltas(std::size_t count, std::size_t n, const Codec& codec,
                     const std::string& name = "robust") {
  Deltas out;
  Rng rng = rng_of(name);
  for (std::size_t i = 0; i < count; ++i) {
    out.add(heavy(rng, n, 0.001F * static_cast<float>(1u << (i % 4))), codec);
  }
  return out;
}

// Small vectors written out: every value is sent as it is by `dense` if all have one magnitude.
Deltas written(const std::vector<std::vector<float>>& rows) {
  Deltas out;
  for (const auto& row : rows) out.add(row, codec_of(Codec::Kind::sign, 2'048));
  return out;
}

std::vector<double> parts(const Weights& weights, std::span<const Delta> deltas) {
  std::vector<double> out;
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    out.push_back(std::ldexp(weights.weight[i], weights.exponent - deltas[i].exponent()) /
                  weights.divisor);
  }
  return out;
}

TEST(ChunkSample, TakesExactlyAsManyAsItSaysAndMindsTheSeed) {
  const auto chosen = [](std::uint64_t chunks, const Decimal& share, const Digest& seed) {
    ChunkSample sample(chunks, share, seed);
    std::vector<bool> taken;
    for (std::uint64_t c = 0; c < chunks; ++c) taken.push_back(sample.next());
    EXPECT_EQ(std::ranges::count(taken, true), static_cast<std::ptrdiff_t>(sample.size()));
    return taken;
  };
  const Decimal five{50'000'000};
  EXPECT_EQ(ChunkSample(10'000, five, Digest{}).size(), 500u);
  EXPECT_EQ(ChunkSample(100, five, Digest{}).size(), 100u);
  EXPECT_EQ(ChunkSample(1'000, five, Digest{}).size(), kSampleChunksMin);
  EXPECT_EQ(ChunkSample(1'000, kAll, Digest{}).size(), 1'000u);
  const auto one = chosen(10'000, five, sha256(view("a")));
  EXPECT_EQ(one, chosen(10'000, five, sha256(view("a"))));
  EXPECT_NE(one, chosen(10'000, five, sha256(view("b"))));
  // Nobody can know beforehand where it looks: about as many in each tenth.
  for (int tenth = 0; tenth < 10; ++tenth) {
    const auto from = one.begin() + tenth * 1'000;
    EXPECT_NEAR(static_cast<double>(std::count(from, from + 1'000, true)), 50, 35) << tenth;
  }
}

TEST(Gram, IsTheReferenceForEveryCodec) {
  for (const Codec& codec : all_codecs()) {
    const Deltas all = random_deltas(7, 9'001, codec);
    const Deltas before = random_deltas(1, 9'001, codec_of(Codec::Kind::int4, 0), "previous");
    const Gram gram = Gram::make(all.deltas, &before.deltas[0], kAll, Digest{}).value();
    const auto expected = reference::gram(all.deltas, &before.deltas[0], kAll, Digest{});
    ASSERT_EQ(gram.size(), 8u);
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        EXPECT_TRUE(gram.integer(i, j) == expected[8 * i + j]) << i << "," << j;
      }
      if (i < 7) {
        EXPECT_TRUE(static_cast<SquaredNorm::Integer>(gram.integer(i, i)) ==
                    all.deltas[i].squared_norm().integer);
      }
    }
  }
}

TEST(Gram, OfASampleIsTheReferenceOfThatSample) {
  const std::size_t n = 400 * kChunk;
  const Deltas all = random_deltas(3, n, codec_of(Codec::Kind::sign, 4));
  const Decimal share{700'000'000};
  const Digest seed = sha256(view("sample"));
  const Gram gram = Gram::make(all.deltas, nullptr, share, seed).value();
  const auto expected = reference::gram(all.deltas, nullptr, share, seed);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_TRUE(gram.integer(i / 3, i % 3) == expected[i]) << i;
  EXPECT_LT(gram.integer(0, 0), static_cast<Gram::Integer>(all.deltas[0].squared_norm().integer));
}

// Sums beyond 64 bits: dense values at their limit, the same in every contribution.
TEST(Gram, HoldsTheLargestSums) {
  const std::size_t n = 80 * kChunk;
  Deltas all;
  for (int i = 0; i < 2; ++i) all.add(std::vector<float>(n, 1.9F), codec_of(Codec::Kind::dense, 0));
  const Gram gram = Gram::make(all.deltas, nullptr, kAll, Digest{}).value();
  const auto norm = static_cast<Gram::Integer>(all.deltas[0].squared_norm().integer);
  EXPECT_GT(norm, static_cast<Gram::Integer>(1) << 63);
  EXPECT_TRUE(gram.integer(0, 1) == norm);
  EXPECT_TRUE(gram.integer(1, 0) == norm);
}

TEST(Gram, RefusesWhatDoesNotFitTogether) {
  const Deltas all = random_deltas(2, 500, kSigns);
  const Deltas other = random_deltas(1, 501, kSigns);
  EXPECT_FALSE(Gram::make({}, nullptr, kAll, Digest{}).ok());
  EXPECT_FALSE(Gram::make(all.deltas, &other.deltas[0], kAll, Digest{}).ok());
  const std::vector<Delta> mixed{all.deltas[0], other.deltas[0]};
  EXPECT_FALSE(Gram::make(mixed, nullptr, kAll, Digest{}).ok());
  const std::vector<Delta> many(kContributionsMax + 1, all.deltas[0]);
  EXPECT_EQ(Gram::make(many, nullptr, kAll, Digest{}).error().code, ErrorCode::limit);
}

TEST(Groups, CosineAboveTheThresholdTransitively) {
  // cos(0,1) = 0.5 exactly, cos(1,2) = 0.75, 3 is opposite to 0, 4 is alone, 5 sends nothing.
  const Deltas all = written({{1, 1, 1, 1, 0, 0, 0, 0},
                              {1, 1, 0, 0, 1, 1, 0, 0},
                              {0, 1, 0, 1, 1, 1, 0, 0},
                              {-1, -1, -1, -1, 0, 0, 0, 0},
                              {0, 0, 0, 0, 0, 0, 1, 1},
                              {0, 0, 0, 0, 0, 0, 0, 0}});
  const Gram gram = Gram::make(all.deltas, nullptr, kAll, Digest{}).value();
  using Groups = std::vector<std::uint32_t>;
  const auto groups = [&](std::int64_t nanos) { return similar_groups(gram, 6, Decimal{nanos}); };
  EXPECT_EQ(groups(500'000'000), (Groups{0, 1, 1, 3, 4, 5}));  // "above", not "from"
  EXPECT_EQ(groups(499'999'999), (Groups{0, 0, 0, 3, 4, 5}));
  EXPECT_EQ(groups(750'000'000), (Groups{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(groups(0), (Groups{0, 1, 2, 3, 4, 5}));
}

TEST(Groups, DoNotMindScale) {
  Deltas all;
  Rng rng = rng_of("scale");
  std::vector<float> values = bell(rng, 5'000, 0.01F);
  all.add(values, kSigns);
  for (float& value : values) value *= 3e6F;
  all.add(values, kSigns);
  const Gram gram = Gram::make(all.deltas, nullptr, kAll, Digest{}).value();
  EXPECT_TRUE(gram.similar(0, 1, Decimal{999'000'000}));
}

TEST(Groups, ArePermutedWithTheContributions) {
  Deltas all = random_deltas(9, 6'000, codec_of(Codec::Kind::sign, 256));
  all.deltas[7] = all.deltas[2];
  all.deltas[4] = all.deltas[0];
  const RobustRule rule;
  const auto groups = find_groups(rule, all.deltas, Digest{}).value();
  EXPECT_EQ(groups[7], 2u);
  EXPECT_EQ(groups[4], 0u);
  std::vector<std::size_t> order(9);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::reverse(order);
  std::vector<Delta> turned;
  for (const std::size_t i : order) turned.push_back(all.deltas[i]);
  const auto again = find_groups(rule, turned, Digest{}).value();
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < 9; ++j) {
      EXPECT_EQ(again[i] == again[j], groups[order[i]] == groups[order[j]]) << i << "," << j;
    }
  }
}

TEST(ExclusiveShares, CountTheMassThatNoOtherGroupSends) {
  const Deltas all = written({{1, 1, 1, 1, 0, 0, 0, 0},
                              {1, 1, 0, 0, 1, 1, 0, 0},
                              {0, 0, 0, 0, 0, 0, 1, 1},
                              {0, 0, 0, 0, 0, 0, 1, 1},
                              {0, 0, 0, 0, 0, 0, 0, 0}});
  const std::vector<std::uint32_t> apart{0, 1, 2, 3, 4}, together{0, 1, 2, 2, 4};
  using Shares = std::vector<std::uint32_t>;
  const std::uint32_t half = kFullVote / 2;
  EXPECT_EQ(exclusive_shares(all.deltas, apart, kAll, Digest{}).value(),
            (Shares{half, half, 0, 0, 0}));
  EXPECT_EQ(exclusive_shares(all.deltas, together, kAll, Digest{}).value(),
            (Shares{half, half, kFullVote, kFullVote, 0}));
}

TEST(NormVerdicts, NameWhatIsFarAboveTheMedian) {
  const auto norm = [](std::uint64_t root, int exponent) {
    return SquaredNorm{static_cast<SquaredNorm::Integer>(root) * root, exponent};
  };
  const Decimal ten{10'000'000'000};
  const std::vector<SquaredNorm> norms{norm(3, 0),  norm(2, 0),   norm(1, 1), norm(20, 0),
                                       norm(21, 0), norm(1, 120), norm(0, 0), norm(47, -4)};
  const std::vector<std::string> verdicts = norm_verdicts(norms, ten);
  // Median of 47/16, 2, 2, 3, 20, 21, huge: 3. Seven and 2^120 times it.
  EXPECT_EQ(verdicts[4], "");
  EXPECT_EQ(verdicts[3], "");
  EXPECT_EQ(verdicts[5], "norm: 4294967296.0 times the median");
  EXPECT_EQ(norm_verdicts(norms, Decimal{6'500'000'000})[4], "norm: 7.0 times the median");
  EXPECT_EQ(norm_verdicts(norms, Decimal{7'000'000'000})[4], "");  // exactly seven is allowed
  EXPECT_EQ(norm_verdicts(norms, Decimal{0})[5], "");              // off
  EXPECT_EQ(norm_verdicts(std::vector<SquaredNorm>(3), ten), std::vector<std::string>(3));
  // A majority that sends nothing does not make everybody else huge.
  const std::vector<SquaredNorm> mostly_nothing{norm(0, 0), norm(0, 0), norm(5, 0)};
  EXPECT_EQ(norm_verdicts(mostly_nothing, ten), std::vector<std::string>(3));
}

TEST(Votes, AGroupHasOneAndNewcomersDoNotDiluteIt) {
  using List = std::vector<std::uint32_t>;
  EXPECT_EQ(votes(List{kFullVote, kFullVote, kFullVote}, List{0, 1, 2}),
            (List{kFullVote, kFullVote, kFullVote}));
  EXPECT_EQ(votes(List{kFullVote, kFullVote, kFullVote}, List{0, 1, 0}),
            (List{kFullVote / 2, kFullVote, kFullVote / 2}));
  // Three newcomers with a quarter each that copy an established member: its direction still has
  // one whole vote.
  const std::uint32_t quarter = kFullVote / 4;
  const List shared = votes(List{quarter, kFullVote, quarter, quarter}, List{0, 0, 0, 0});
  EXPECT_EQ(shared[0], shared[2]);
  EXPECT_NEAR(shared[1], kFullVote / 1.75, 1);
  EXPECT_NEAR(shared[0] + shared[1] + shared[2] + shared[3], kFullVote, 4);
  EXPECT_EQ(votes(List{0, 1}, List{0, 0}), (List{0, 1}));
}

TEST(RobustWeights, ClipWithEqualVotesIsTheMedianClip) {
  for (const Codec& codec : all_codecs()) {
    const Deltas all = random_deltas(6, 9'001, codec);
    std::vector<SquaredNorm> norms;
    for (const Delta& delta : all.deltas) norms.push_back(delta.squared_norm());
    RobustRule rule;
    rule.kind = Kind::clip;
    const std::vector<std::uint32_t> alone{0, 1, 2, 3, 4, 5};
    const Weights made = robust_weights(rule, {.deltas = all.deltas, .group = alone}).value();
    EXPECT_EQ(made, clip_weights(norms));
    rule.similar = Decimal{0};
    EXPECT_EQ(robust_weights(rule, {.deltas = all.deltas}).value(), made);
  }
}

TEST(RobustWeights, MeanIsTheMean) {
  const Deltas all = random_deltas(4, 5'000, kSigns);
  RobustRule rule;
  rule.kind = Kind::mean, rule.similar = Decimal{0};
  for (const double part :
       parts(robust_weights(rule, {.deltas = all.deltas}).value(), all.deltas)) {
    EXPECT_NEAR(part, 0.25, 1e-8);
  }
}

// By hand: three unit vectors, one of them copied. The group's two share a vote.
TEST(RobustWeights, CopiesShareAVote) {
  const Deltas all = written({{1, 0, 0}, {0, 1, 0}, {0, 1, 0}, {0, 0, 1}});
  for (const Kind kind : {Kind::mean, Kind::clip, Kind::centered}) {
    RobustRule rule;
    rule.kind = kind;
    const Weights weights = robust_weights(rule, {.deltas = all.deltas}).value();
    const std::vector<double> part = parts(weights, all.deltas);
    EXPECT_NEAR(part[0], 1.0 / 3, 1e-8) << name(kind);
    EXPECT_NEAR(part[1], 1.0 / 6, 1e-8) << name(kind);
    EXPECT_NEAR(part[2], 1.0 / 6, 1e-8) << name(kind);
    EXPECT_NEAR(part[3], 1.0 / 3, 1e-8) << name(kind);
  }
}

// By hand, one dimension: previous 0; points 1, 1, 1 (one apart in other dimensions is not needed
// when groups are given), and the fourth at −1. Radius: 1 in the first step.
TEST(RobustWeights, StandingCapsWeigh) {
  const Deltas all = written({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
  const std::vector<std::uint32_t> standing{kFullVote, kFullVote / 2, 0};
  for (const Kind kind : {Kind::mean, Kind::clip}) {
    RobustRule rule;
    rule.kind = kind;
    const Weights weights =
        robust_weights(rule, {.deltas = all.deltas, .standing = standing}).value();
    const std::vector<double> part = parts(weights, all.deltas);
    EXPECT_NEAR(part[0], 2.0 / 3, 1e-8);
    EXPECT_NEAR(part[1], 1.0 / 3, 1e-8);
    EXPECT_EQ(weights.weight[2], 0u);
  }
}

// Three of ten passed: the mean of three would be a step for ten; 3 ÷ 5 of it is taken.
TEST(RobustWeights, AThinRoundTakesAShorterStep) {
  const Deltas all = written({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
  for (const Kind kind : {Kind::mean, Kind::clip, Kind::centered, Kind::neighbours}) {
    RobustRule rule;
    rule.kind = kind, rule.faulty = Decimal{0};
    const auto made = [&](std::uint64_t possible) {
      const RobustRound round{.deltas = all.deltas, .possible = possible * kFullVote};
      return robust_weights(rule, round).value();
    };
    const Weights full = made(0), thin = made(10);
    EXPECT_EQ(made(6), full) << name(kind);  // half passed
    EXPECT_EQ(thin.weight, full.weight);
    EXPECT_NEAR(full.divisor / thin.divisor, 0.6, 1e-9) << name(kind);
  }
}

// Points on a line around the previous update at 1: 1, 1, 1 and 5. Distances 0, 0, 0, 4; the median
// is 0, so the far one does not move the center at all.
TEST(CenteredClipping, ByHandOnALine) {
  const auto line = [](const std::vector<double>& x, double reference) {
    Points points(std::vector<double>(x.size(), 1.0), true);
    std::vector<double> all = x;
    all.push_back(reference);
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < all.size(); ++j) points.inner(i, j) = all[i] * all[j];
    }
    return points;
  };
  const auto value = [](const std::vector<double>& a, std::vector<double> x, double reference) {
    x.push_back(reference);
    return std::inner_product(a.begin(), a.end(), x.begin(), 0.0);
  };
  const std::vector<double> three{1, 1, 1, 5};
  EXPECT_EQ(value(centered_clipping(line(three, 1), 3), three, 1), 1);
  // Around 0: distances 1, 2, 3, 100; radius 2: v = (1 + 2 + 2 + 2) / 4.
  const std::vector<double> spread{1, 2, 3, 100};
  EXPECT_DOUBLE_EQ(value(centered_clipping(line(spread, 0), 1), spread, 0), 1.75);
  // The second step, around 1.75: distances .75, .25, 1.25, 98.25; radius .75:
  // 1.75 + (−.75 + .25 + .75 + .75) / 4 = 2.
  EXPECT_DOUBLE_EQ(value(centered_clipping(line(spread, 0), 2), spread, 0), 2.0);
}

TEST(Fallbacks, LeaveOutWhatIsFarFromEverybody) {
  // Ten near one another, three far away together: 30 % of 13 may be wrong.
  Points points(std::vector<double>(13, 1.0), false);
  for (std::size_t i = 0; i < 13; ++i) {
    for (std::size_t j = 0; j < 13; ++j) {
      const bool far_i = i >= 10, far_j = j >= 10;
      points.inner(i, j) = far_i && far_j ? 100 : far_i || far_j ? -10 : 1 + (i == j ? 0.1 : 0);
    }
  }
  for (const auto& a : {geometric_median_of_neighbours(points, 0.3), multi_krum(points, 0.3)}) {
    EXPECT_NEAR(std::accumulate(a.begin(), a.end(), 0.0), 1, 1e-12);
    EXPECT_LT(a[10] + a[11] + a[12], 0.03);
  }
  const std::vector<double> krum = multi_krum(points, 0.3);
  EXPECT_EQ(std::ranges::count(krum, 0.0), 3);
}

TEST(Fallbacks, NobodyWithoutAVoteIsCounted) {
  Points points({0, 0}, false);
  EXPECT_EQ(multi_krum(points, 0.3), (std::vector<double>{0, 0}));
  EXPECT_EQ(geometric_median_of_neighbours(points, 0.3), (std::vector<double>{0, 0}));
  EXPECT_EQ(centered_clipping(points, 2), (std::vector<double>{0, 0}));
}

const Kind kKinds[] = {Kind::mean, Kind::clip, Kind::centered, Kind::neighbours, Kind::krum};

// Whatever anybody sends, its part of the step is no longer than its vote times the median norm.
TEST(RobustWeights, NobodyPushesFurtherThanItsVote) {
  Deltas all = random_deltas(9, 6'000, kSigns);
  Rng rng = rng_of("huge");
  all.add(bell(rng, 6'000, 1e6F), kSigns);
  all.add(bell(rng, 6'000, 1e-9F), kSigns);
  const Deltas before = random_deltas(1, 6'000, codec_of(Codec::Kind::sign, 256), "previous");
  std::vector<SquaredNorm> norms;
  for (const Delta& delta : all.deltas) norms.push_back(delta.squared_norm());
  const double middle = median(norms).to_double();
  for (const Kind kind : kKinds) {
    if (kind == Kind::mean) continue;
    RobustRule rule;
    rule.kind = kind;
    const Weights weights =
        robust_weights(rule, {.deltas = all.deltas, .previous = &before.deltas[0]}).value();
    const std::vector<double> part = parts(weights, all.deltas);
    double sum = 0;
    for (std::size_t i = 0; i < part.size(); ++i) {
      // Neighbours and krum may leave out 30 % and give the others more.
      EXPECT_LE(part[i] * norms[i].to_double(), middle / 11 / 0.6) << name(kind) << i;
      sum += part[i] * std::max(1.0, norms[i].to_double() / middle);
    }
    EXPECT_LE(sum, 1 + 1e-6) << name(kind);
    EXPECT_EQ(weights.previous > 0, kind == Kind::centered);
    EXPECT_GE(*std::ranges::max_element(weights.weight), kind == Kind::centered ? 1u : 1u << 29);
  }
}

TEST(RobustWeights, DoNotDependOnTheOrderBeyondTheLastBit) {
  // Supports that overlap, so that no two distances are equal: ties go by the order of the log.
  const Deltas all = random_deltas(8, 6'000, codec_of(Codec::Kind::two_level, 1'024));
  const Deltas before = random_deltas(1, 6'000, codec_of(Codec::Kind::sign, 256), "previous");
  const std::vector<std::size_t> order{3, 1, 7, 0, 5, 2, 6, 4};
  std::vector<Delta> turned;
  for (const std::size_t i : order) turned.push_back(all.deltas[i]);
  for (const Kind kind : kKinds) {
    RobustRule rule;
    rule.kind = kind;
    const auto made = [&](std::span<const Delta> deltas) {
      return robust_weights(rule, {.deltas = deltas, .previous = &before.deltas[0]}).value();
    };
    const Weights one = made(all.deltas), other = made(turned);
    EXPECT_EQ(one.exponent, other.exponent);
    for (std::size_t i = 0; i < order.size(); ++i) {
      EXPECT_NEAR(other.weight[i], one.weight[order[i]], 1) << name(kind);
    }
    EXPECT_EQ(made(all.deltas), one);
  }
}

// The weights may be made in any order and by anybody; the sum is integers, so the step has the
// same bits whoever adds it up in whatever order.
TEST(RobustWeights, TheSumDoesNotDependOnTheOrderAtAll) {
  const Deltas all = random_deltas(6, 9'001, kSigns);
  const Deltas before = random_deltas(1, 9'001, codec_of(Codec::Kind::sign, 256), "previous");
  const Weights weights =
      robust_weights({}, {.deltas = all.deltas, .previous = &before.deltas[0]}).value();
  EXPECT_GT(weights.previous, 0u);
  std::vector<float> one(9'001), other(9'001);
  ASSERT_TRUE(aggregate(all.deltas, weights, &before.deltas[0], one).ok());
  std::vector<Delta> turned(all.deltas.rbegin(), all.deltas.rend());
  Weights back = weights;
  std::ranges::reverse(back.weight);
  ASSERT_TRUE(aggregate(turned, back, &before.deltas[0], other).ok());
  EXPECT_EQ(one, other);
  // And it is what the coefficients say.
  std::vector<double> expected(9'001);
  const auto add = [&](const Delta& delta, std::uint32_t weight) {
    const double unit = std::ldexp(weight, weights.exponent - delta.exponent()) / weights.divisor;
    const std::vector<float> values = decode(delta);
    for (std::size_t i = 0; i < values.size(); ++i) expected[i] += unit * values[i];
  };
  for (std::size_t i = 0; i < 6; ++i) add(all.deltas[i], weights.weight[i]);
  add(before.deltas[0], weights.previous);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(one[i], expected[i], 1e-6 * std::abs(expected[i]) + 1e-15);
  }
}

double length_of(std::span<const float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * value;
  return std::sqrt(square);
}

// Steps that would be much longer than the one before, by every rule: as long as allowed, in the
// same direction. What the matrix says is recounted from the floats of the step itself.
TEST(StepBound, LetsNoStepBeMuchLongerThanTheOneBefore) {
  const Codec down = codec_of(Codec::Kind::sign, 256);
  const Deltas all = random_deltas(9, 12'001, codec_of(Codec::Kind::two_level, 1'024));
  for (const float size : {1.0F, 1e-3F, 1e-12F, 0.0F}) {
    Rng rng = rng_of("before");
    Deltas before;
    before.add(bell(rng, 12'001, 0.01F * size), down);
    const Delta* previous = &before.deltas[0];
    const double reference = length_of(decode(*previous));
    for (const Kind kind : kKinds) {
      RobustRule rule;
      rule.kind = kind;
      const RobustRound round{.deltas = all.deltas, .previous = previous, .possible = 1};
      const Weights any = robust_weights(rule, round).value();
      rule.step_max = Decimal{2'500'000'000};
      const Weights bounded = robust_weights(rule, round).value();
      std::vector<float> free(12'001), step(12'001);
      ASSERT_TRUE(aggregate(all.deltas, any, previous, free).ok());
      ASSERT_TRUE(aggregate(all.deltas, bounded, previous, step).ok());
      if (size == 0.0F || length_of(free) <= 2.5 * reference) {
        EXPECT_EQ(bounded, any) << name(kind) << size;
        continue;
      }
      EXPECT_NEAR(length_of(step) / reference, 2.5, 1e-5) << name(kind) << size;
      EXPECT_EQ(bounded.weight, any.weight);
      EXPECT_EQ(bounded.previous, any.previous);
      EXPECT_EQ(bounded.exponent, any.exponent);
    }
  }
}

// By hand: one contribution four times as long as the update before, and twice that is allowed.
TEST(StepBound, DividesByWhatIsTooMuch) {
  const Deltas all = written({{2, 2, 2, 2, 0, 0, 0, 0}});
  const Deltas before = written({{0, 0, 0, 0, 1, 0, 0, 0}});
  RobustRule rule;
  rule.kind = Kind::clip;
  rule.step_max = Decimal{2'000'000'000};
  const auto divisor = [&](const Delta* previous) {
    return robust_weights(rule, {.deltas = all.deltas, .previous = previous}).value().divisor;
  };
  EXPECT_EQ(divisor(&before.deltas[0]), 2);
  EXPECT_EQ(divisor(nullptr), 1);
  rule.step_max = Decimal{4'000'000'000};
  EXPECT_EQ(divisor(&before.deltas[0]), 1);
  rule.step_max = Decimal{0};
  EXPECT_EQ(divisor(&before.deltas[0]), 1);
}

// A thin round is short already.
TEST(StepBound, AndAThinRoundCountTheStrongerOnly) {
  const Deltas all = written({{2, 2, 2, 2, 0, 0, 0, 0}});
  const Deltas before = written({{0, 0, 0, 0, 1, 0, 0, 0}});
  RobustRule rule;
  rule.kind = Kind::clip;
  rule.step_max = Decimal{2'000'000'000};
  const auto divisor = [&](std::uint64_t votes) {
    return robust_weights(
               rule,
               {.deltas = all.deltas, .previous = &before.deltas[0], .possible = votes * kFullVote})
        .value()
        .divisor;
  };
  EXPECT_EQ(divisor(2), 2);
  EXPECT_EQ(divisor(10), 5);
}

TEST(RobustWeights, CloseARound) {
  const Deltas all = random_deltas(5, 9'001, kSigns);
  const Codec down{Codec::Kind::sign, 256, kAll};
  RobustRule rule;
  rule.kind = Kind::clip, rule.similar = Decimal{0};
  const Weights clip = robust_weights(rule, {.deltas = all.deltas}).value();
  RunNumbers one{std::vector<float>(9'001, 1.0F), std::vector<float>(9'001)}, other = one;
  const Decimal rate{3'000'000'000};
  const Bytes made = close_round(down, rate, test_base(), all.deltas, one).value();
  EXPECT_EQ(close_round(down, rate, test_base(), all.deltas, clip, nullptr, other).value(), made);
  EXPECT_EQ(one.weights, other.weights);
}

TEST(RobustRule, RefusesWhatMeansNothing) {
  const auto refused = [](auto change) {
    RobustRule rule;
    change(rule);
    return !rule.validate().ok();
  };
  EXPECT_TRUE(RobustRule{}.validate().ok());
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.kind = static_cast<Kind>(9); }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.iterations = 0; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.iterations = 9; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.norm_max = Decimal{1}; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.similar = Decimal{1'000'000'001}; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.sample = Decimal{0}; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.faulty = Decimal{500'000'000}; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.step_max = Decimal{999'999'999}; }));
  EXPECT_TRUE(refused([](RobustRule& rule) { rule.step_max = Decimal{-1}; }));
  const Deltas all = random_deltas(2, 500, kSigns);
  using List = std::vector<std::uint32_t>;
  const List one{1}, high{kFullVote, kFullVote + 1}, forward{1, 1};
  EXPECT_FALSE(robust_weights({}, {}).ok());
  EXPECT_FALSE(robust_weights({}, {.deltas = all.deltas, .standing = one}).ok());
  EXPECT_FALSE(robust_weights({}, {.deltas = all.deltas, .standing = high}).ok());
  EXPECT_FALSE(robust_weights({}, {.deltas = all.deltas, .group = forward}).ok());
  for (const Kind kind : kKinds) EXPECT_EQ(rule_kind(name(kind)), kind);
  EXPECT_FALSE(rule_kind("median").has_value());
}

TEST(RobustWeights, NobodySendsAnything) {
  const Deltas all = written({{0, 0, 0}, {0, 0, 0}});
  for (const Kind kind : kKinds) {
    RobustRule rule;
    rule.kind = kind;
    const Weights weights = robust_weights(rule, {.deltas = all.deltas}).value();
    EXPECT_EQ(weights.weight, (std::vector<std::uint32_t>{0, 0})) << name(kind);
    std::vector<float> u(3, 7.0F);
    ASSERT_TRUE(aggregate(all.deltas, weights, nullptr, u).ok());
    EXPECT_EQ(u, std::vector<float>(3));
  }
}

}  // namespace
}  // namespace harambee::exact

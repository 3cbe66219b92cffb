// How near two pseudo-gradients are, and what an author's states say of its own.
#include "node/closeness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "fold/audit_acts.h"

namespace harambee::node {
namespace {

using Vector = std::vector<float>;

constexpr Decimal kOne{1'000'000'000};
constexpr Decimal kNone{0};

TEST(ClosenessTest, OfTheSameIsOneAndNothing) {
  const Vector some = {1, -2, 3};
  EXPECT_EQ(closeness(some, some), (Closeness{kOne, kNone}));
  EXPECT_TRUE(closeness(some, some).near());
  EXPECT_EQ(closeness(Vector{-1, 2, -3}, some).cosine, Decimal{-kOne.nanos});
  EXPECT_EQ(closeness(Vector{-1, 2, -3}, some).distance, Decimal{2 * kOne.nanos});
}

// Known numbers: a right angle, half of the length, one and a half.
TEST(ClosenessTest, SaysWhatTheFormulasSay) {
  const Vector made = {3, 4};
  EXPECT_EQ(closeness(Vector{-4, 3}, made), (Closeness{kNone, Decimal{1'414'213'562}}));
  EXPECT_EQ(closeness(Vector{1.5F, 2}, made), (Closeness{kOne, Decimal{500'000'000}}));
  EXPECT_EQ(closeness(Vector{4.5F, 6}, made), (Closeness{kOne, Decimal{500'000'000}}));
  EXPECT_FALSE(closeness(Vector{1.5F, 2}, made).near());  // the direction is not all
}

TEST(ClosenessTest, OfZeroVectors) {
  const Vector zero(3, 0.0F), some = {1, 2, 3};
  EXPECT_EQ(closeness(zero, zero), (Closeness{kOne, kNone}));
  EXPECT_EQ(closeness(zero, some), (Closeness{kNone, kOne}));
  EXPECT_EQ(closeness(some, zero), farthest());
  EXPECT_EQ(closeness({}, {}), (Closeness{kOne, kNone}));
  EXPECT_FALSE(farthest().near());
}

TEST(ClosenessTest, OfWhatIsNoNumberIsAsFarAsCanBe) {
  const Vector some = {1, 2};
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), -INFINITY}) {
    EXPECT_EQ(closeness(Vector{bad, 2}, some), farthest());
    EXPECT_EQ(closeness(some, Vector{1, bad}), farthest());
  }
  const float most = std::numeric_limits<float>::max();
  EXPECT_EQ(closeness(Vector{most, -most}, Vector{most, -most}), (Closeness{kOne, kNone}));
  EXPECT_EQ(closeness(Vector{most, 0}, Vector{0, 1e-30F}).distance, fold::kDistanceMax);
}

TEST(ClosenessTest, TheWorseOfTwoIsTheWorseOfEach) {
  const Closeness one{Decimal{5}, Decimal{7}}, other{Decimal{6}, Decimal{8}};
  EXPECT_EQ(worse(one, other), (Closeness{Decimal{5}, Decimal{8}}));
}

// Whatever was left over and sent: backwards comes out what was trained.
class AuthorTest : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr std::size_t kParameters = 5000;
  static Vector noise(const std::string& name, float size) {
    Rng rng(sha256(view(name)));
    Vector values(kParameters);
    for (float& value : values) {
      value = (static_cast<float>(rng.below(20001)) - 10000.0F) * 1e-4F * size;
    }
    return values;
  }
  static exact::Codec codec() {
    const bool sparse = std::string(GetParam()) == "sign" || std::string(GetParam()) == "two_level";
    return *exact::codec_from_json(Json(JsonObject{
        {"feedback", "0.95"}, {"keep", std::int64_t{sparse ? 32 : 0}}, {"name", GetParam()}}));
  }
  // What an honest author commits to, from `before` and what it trained.
  static AuthorSide honest(const Vector& before, const Vector& gradient) {
    AuthorSide author{{}, before, before};
    exact::accumulate(author.after, codec().feedback, gradient, Vector(kParameters, 0.0F));
    const Bytes blob = *exact::encode(codec(), Digest{}, author.after);
    author.sent = exact::decode(*exact::Delta::parse(blob, kParameters, codec(), Digest{}));
    return author;
  }
};

TEST_P(AuthorTest, HonestStatesTellTheGradientAndWhatIsSentOfIt) {
  const Vector gradient = noise("gradient", 0.01F);
  for (const float left : {0.0F, 0.01F, 0.3F}) {
    AuthorSide author = honest(noise("before", left), gradient);
    if (left == 0.0F) author.before.clear();
    EXPECT_GE(closeness(told_gradient(author, codec().feedback), gradient).cosine.nanos,
              999'999'000);
    EXPECT_LE(closeness(told_gradient(author, codec().feedback), gradient).distance.nanos, 10'000);
    EXPECT_TRUE(sent_closeness(author, codec()).near()) << left;
  }
}

// Who has trained and sends something else must account for it: in the error feedback it would look
// like the same gradient.
TEST_P(AuthorTest, WhatWasSentInsteadIsSeenThoughTheStatesAddUp) {
  const Vector gradient = noise("gradient", 0.01F);
  for (const float factor : {-1.0F, 0.5F, 1.5F}) {
    AuthorSide author = honest(noise("before", 0.01F), gradient);
    for (std::size_t i = 0; i < kParameters; ++i) {
      const float whole = author.after[i] + author.sent[i];
      author.sent[i] *= factor;
      author.after[i] = whole - author.sent[i];
    }
    EXPECT_TRUE(closeness(told_gradient(author, codec().feedback), gradient).near());
    EXPECT_FALSE(sent_closeness(author, codec()).near()) << factor;
  }
}

TEST_P(AuthorTest, StatesThatNoCodecTakesAreFar) {
  AuthorSide author = honest(noise("before", 0.01F), noise("gradient", 0.01F));
  author.after[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sent_closeness(author, codec()), farthest());
  EXPECT_EQ(closeness(told_gradient(author, codec().feedback), noise("gradient", 0.01F)),
            farthest());
}

INSTANTIATE_TEST_SUITE_P(Codecs, AuthorTest,
                         ::testing::Values("sign", "two_level", "ternary", "int4", "dense"));

}  // namespace
}  // namespace harambee::node

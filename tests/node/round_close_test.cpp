// What a validator finds in a round's blobs, and the step that is made of them.
#include "node/round_close.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/rng.h"
#include "fold/votes.h"
#include "node/round_math.h"

namespace harambee::node {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::uint64_t kParameters = 10'000;

KeyId who(const std::string& name) { return sha256(view(name)); }

class Examine : public ::testing::Test {
 protected:
  Examine() { recipe.codec.keep = 64; }
  [[nodiscard]] RoundContext context() const {
    return {recipe, kParameters, sha256(view("base")), sha256(view("seed"))};
  }
  // Numbers that nobody else has, times `scale`.
  std::vector<float> direction(const std::string& name, float scale = 1) {
    Rng rng(sha256(view("direction of " + name)));
    std::vector<float> values(kParameters);
    for (float& value : values) {
      value = scale * static_cast<float>(static_cast<int>(rng.below(2001)) - 1000) * 1e-5F;
    }
    return values;
  }
  void reveal(const std::string& author, std::vector<float> values) {
    const auto codec = codec_of(recipe.codec).value();
    blobs.push_back(exact::encode(codec, {context().base, who(author)}, values).value());
    authors.push_back(who(author));
  }
  std::vector<Finding> found() {
    std::vector<Revealed> revealed;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      revealed.push_back({BlobRef{sha256(blobs[i]), blobs[i].size(), "delta"}, authors[i],
                          blobs[i].empty() ? std::nullopt : std::optional(View(blobs[i]))});
    }
    return examine(context(), revealed).value();
  }

  fold::Recipe recipe = fold::default_recipe();
  std::vector<Bytes> blobs;
  std::vector<KeyId> authors;
};

TEST_F(Examine, FindsWorkOfItsOwnFine) {
  for (const char* name : {"ann", "bob", "cai"}) reveal(name, direction(name));
  const std::vector<Finding> all = found();
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].verdict, "ok");
    EXPECT_EQ(all[i].group, static_cast<std::int64_t>(i));
    EXPECT_TRUE(all[i].delta.has_value());
  }
}

TEST_F(Examine, SeesWhatIsMissingBrokenOrTooLarge) {
  for (const char* name : {"ann", "bob", "cai"}) reveal(name, direction(name));
  blobs[1].clear();
  blobs[2][0] ^= 1;
  std::vector<Finding> all = found();
  EXPECT_EQ(all[0].verdict, "ok");
  EXPECT_EQ(all[1].verdict, "withheld");
  EXPECT_THAT(all[2].verdict, StartsWith("malformed: "));
  EXPECT_EQ(all[2].group, 2);
  const Revealed huge{BlobRef{who("x"), delta_bytes_max(kParameters) + 1, "delta"}, who("ann"), {}};
  EXPECT_EQ(examine(context(), std::span(&huge, 1)).value()[0].verdict,
            "malformed: the blob is too large");
}

// A copycat that lets the author reveal for it has committed to nothing.
TEST_F(Examine, ACopyIsMalformedForEverybodyElse) {
  reveal("ann", direction("ann"));
  blobs.push_back(blobs[0]);
  authors.push_back(who("copycat"));
  const std::vector<Finding> all = found();
  EXPECT_EQ(all[0].verdict, "ok");
  EXPECT_THAT(all[1].verdict, HasSubstr("of another author"));
}

TEST_F(Examine, ANormFarAboveTheMedianIsNoContribution) {
  for (const char* name : {"ann", "bob", "cai"}) reveal(name, direction(name));
  reveal("dan", direction("dan", 9));
  reveal("eve", direction("eve", 11));
  std::vector<Finding> all = found();
  EXPECT_EQ(all[3].verdict, "ok");
  EXPECT_THAT(all[4].verdict, StartsWith("norm: 1"));
  EXPECT_THAT(all[4].verdict, HasSubstr("times the median"));
  recipe.judge.norm_max = Decimal{0};
  EXPECT_EQ(found()[4].verdict, "ok");
}

// The same work under other keys, with a little noise over it: one group with its original.
TEST_F(Examine, CopiesShareAGroup) {
  reveal("ann", direction("ann"));
  reveal("bob", direction("bob"));
  for (const char* sybil : {"s1", "s2"}) {
    std::vector<float> copy = direction("ann");
    const std::vector<float> noise = direction(sybil, 0.002F);
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] += noise[i];
    reveal(sybil, copy);
  }
  std::vector<Finding> all = found();
  EXPECT_EQ(all[1].group, 1);
  EXPECT_EQ(all[2].group, 0);
  EXPECT_EQ(all[3].group, 0);
  recipe.judge.similar = Decimal{1'000'000'000};  // off
  EXPECT_EQ(found()[3].group, 3);
}

// What is not accepted neither ties nor is tied.
TEST_F(Examine, WhatIsTooLargeIsInNobodysGroup) {
  for (const char* name : {"ann", "bob", "cai"}) reveal(name, direction(name));
  reveal("eve", direction("ann", 100));
  EXPECT_THAT(found()[3].verdict, StartsWith("norm: "));
  EXPECT_EQ(found()[3].group, 3);
}

class Step : public Examine {
 protected:
  // The weights after a step with these caps and groups.
  std::vector<float> after(std::vector<std::uint32_t> standing, std::vector<std::uint32_t> group,
                           const exact::Delta* previous = nullptr) {
    Accepted accepted;
    for (Finding& finding : found()) accepted.deltas.push_back(*std::move(finding.delta));
    accepted.standing = std::move(standing);
    accepted.group = std::move(group);
    accepted.possible = possible;
    exact::RunNumbers numbers{std::vector<float>(kParameters), std::vector<float>(kParameters)};
    update = close_round(context(), accepted, previous, numbers).value();
    return numbers.weights;
  }
  Bytes update;
  std::uint64_t possible = 0;
  static constexpr std::uint32_t kFull = fold::kFullVote;
};

TEST_F(Step, DependsOnStandingGroupsAndTheLastUpdate) {
  for (const char* name : {"ann", "bob", "cai"}) reveal(name, direction(name));
  const std::vector<float> plain = after({kFull, kFull, kFull}, {0, 1, 2});
  EXPECT_EQ(after({kFull, kFull, kFull}, {0, 1, 2}), plain);
  EXPECT_NE(after({kFull, kFull, kFull / 4}, {0, 1, 2}), plain);
  EXPECT_NE(after({kFull, kFull, kFull}, {0, 0, 2}), plain);
  const Bytes last = update;
  const exact::Delta previous =
      exact::Delta::parse(last, kParameters, codec_of(recipe.down).value(), context().base).value();
  EXPECT_NE(after({kFull, kFull, kFull}, {0, 1, 2}, &previous), plain);
  recipe.judge.aggregate = fold::AggregateRule::clip;
  const std::vector<float> clipped = after({kFull, kFull, kFull}, {0, 1, 2});
  EXPECT_EQ(after({kFull, kFull, kFull}, {0, 1, 2}, &previous), clipped);
}

// Where the gate refused most, the few that are left do not step for everybody.
TEST_F(Step, IsShorterInAThinRound) {
  for (const char* name : {"ann", "bob"}) reveal(name, direction(name));
  possible = 4 * std::uint64_t{kFull};
  const std::vector<float> bound = after({kFull, kFull}, {0, 1});
  possible = 0;
  EXPECT_EQ(after({kFull, kFull}, {0, 1}), bound) << "two of four is half";
  possible = 8 * std::uint64_t{kFull};
  const std::vector<float> thin = after({kFull, kFull}, {0, 1});
  double full = 0;
  double half = 0;
  for (std::size_t i = 0; i < thin.size(); ++i) {
    full += std::abs(double{bound[i]});
    half += std::abs(double{thin[i]});
  }
  EXPECT_NEAR(half / full, 0.5, 0.01);
}

// After a step a hundredth as long, by every rule of a recipe.
TEST_F(Step, IsNoLongerThanTheRecipeAllows) {
  for (const char* name : {"ann", "bob"}) reveal(name, direction(name, 0.01F));
  const auto length = [](const std::vector<float>& step) {
    double square = 0;
    for (const float value : step) square += double{value} * value;
    return std::sqrt(square);
  };
  const double first = length(after({kFull, kFull}, {0, 1}));
  const Bytes last = update;
  const exact::Delta previous =
      exact::Delta::parse(last, kParameters, codec_of(recipe.down).value(), context().base).value();
  blobs.clear();
  authors.clear();
  for (const char* name : {"ann", "bob"}) reveal(name, direction(name));
  for (const auto rule : {fold::AggregateRule::clip, fold::AggregateRule::centered,
                          fold::AggregateRule::neighbours, fold::AggregateRule::krum}) {
    recipe.judge.aggregate = rule;
    recipe.judge.step_max = Decimal{0};
    EXPECT_GT(length(after({kFull, kFull}, {0, 1}, &previous)), 20 * first) << name(rule);
    recipe.judge.step_max = Decimal{3'000'000'000};
    const double bound = length(after({kFull, kFull}, {0, 1}, &previous));
    EXPECT_LE(bound, 3.0001 * first) << name(rule);
    EXPECT_GT(bound, 1.5 * first) << name(rule);
  }
}

// Five that agree in part, and two that stand aside: the rules for runs that trust no gate leave
// these out, and how many they leave out is the recipe's to say.
TEST_F(Step, LeavesOutWhatIsFarFromTheOthers) {
  const std::vector<float> common = direction("common");
  for (const char* name : {"ann", "bob", "cai", "dan", "eva"}) {
    std::vector<float> mine = direction(name, 0.7F);
    for (std::size_t i = 0; i < mine.size(); ++i) mine[i] += common[i];
    reveal(name, mine);
  }
  for (const char* name : {"x1", "x2"}) reveal(name, direction(name, -2));  // clipped like all
  const auto along = [&](fold::AggregateRule rule, std::int64_t percent) {
    recipe.judge.aggregate = rule;
    recipe.judge.faulty = Decimal{percent * 10'000'000};
    const std::vector<float> step =
        after(std::vector<std::uint32_t>(7, kFull), {0, 1, 2, 3, 4, 5, 6});
    double inner = 0;
    for (std::size_t i = 0; i < step.size(); ++i) inner -= double{step[i]} * common[i];
    return inner;
  };
  const double clip = along(fold::AggregateRule::clip, 30);
  for (const auto rule : {fold::AggregateRule::neighbours, fold::AggregateRule::krum}) {
    EXPECT_GT(along(rule, 30), 1.1 * clip) << name(rule);
    EXPECT_GT(along(rule, 30), 1.05 * along(rule, 0)) << name(rule);
  }
}

// A crowd with one opinion moves the model as far as one voice does.
TEST_F(Step, ACrowdWithOneVoteWeighsAsOne) {
  recipe.judge.aggregate = fold::AggregateRule::clip;
  for (const char* name : {"ann", "bob"}) reveal(name, direction(name));
  const std::vector<float> two = after({kFull, kFull}, {0, 1});
  for (const char* sybil : {"s1", "s2", "s3"}) reveal(sybil, direction("bob"));
  const std::vector<float> crowd = after({kFull, kFull, kFull, kFull, kFull}, {0, 1, 1, 1, 1});
  const std::vector<float> many = after({kFull, kFull, kFull, kFull, kFull}, {0, 1, 2, 3, 4});
  double apart = 0;
  double apart_many = 0;
  for (std::size_t i = 0; i < two.size(); ++i) {
    apart += std::abs(double{two[i]} - crowd[i]);
    apart_many += std::abs(double{two[i]} - many[i]);
  }
  EXPECT_LT(apart, apart_many / 100);
}

}  // namespace
}  // namespace harambee::node

#include "fold/credit.h"

#include <gtest/gtest.h>

#include <numeric>
#include <type_traits>

#include "base/rng.h"
#include "fold/recipe.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

// There is no way from or to a floating-point number, and no way to make credit by multiplying.
static_assert(!std::is_constructible_v<MicroCredit, double>);
static_assert(!std::is_constructible_v<MicroCredit, float>);
static_assert(!std::is_constructible_v<MicroCredit, bool>);
static_assert(!std::is_convertible_v<MicroCredit, double>);
static_assert(!std::is_convertible_v<std::int64_t, MicroCredit>);
template <typename T>
concept Multiplies = requires(T a) {
  a* a;
};
static_assert(!Multiplies<MicroCredit>);

std::int64_t sum(const std::vector<MicroCredit>& parts) {
  return std::accumulate(parts.begin(), parts.end(), MicroCredit()).micros();
}

std::vector<std::size_t> alone(std::size_t count) {
  std::vector<std::size_t> groups(count);
  std::iota(groups.begin(), groups.end(), 0);
  return groups;
}

TEST(Credit, IsWrittenWithSixPlaces) {
  EXPECT_EQ(MicroCredit(0).str(), "0.000000");
  EXPECT_EQ(MicroCredit(1).str(), "0.000001");
  EXPECT_EQ(MicroCredit(1'500'000).str(), "1.500000");
  EXPECT_EQ(MicroCredit(-1).str(), "-0.000001");
  EXPECT_EQ(MicroCredit(-1'000'001).str(), "-1.000001");
}

TEST(Credit, TheFirstPartsGetTheRemainder) {
  const auto parts = split_evenly(MicroCredit(11), 4);
  EXPECT_EQ(parts, (std::vector{MicroCredit(3), MicroCredit(3), MicroCredit(3), MicroCredit(2)}));
}

// spec/credit.md, worked example.
TEST(Credit, SplitsAsTheSpecificationSays) {
  const CreditRule rule{MicroCredit(1'000'000), 80, 15, 5};
  const RoundCredits credits = split_round(rule, alone(3), 4);
  EXPECT_EQ(credits.trainers,
            (std::vector{MicroCredit(266'667), MicroCredit(266'667), MicroCredit(266'666)}));
  EXPECT_EQ(credits.validators, std::vector(4, MicroCredit(37'500)));
  EXPECT_EQ(credits.coordinator, MicroCredit(50'000));

  const RoundCredits odd = split_round({MicroCredit(101), 80, 15, 5}, alone(7), 2);
  EXPECT_EQ(sum(odd.trainers), 81);  // 101 - floor(15.15) - floor(5.05)
  EXPECT_EQ(odd.trainers.front(), MicroCredit(12));
  EXPECT_EQ(odd.trainers.back(), MicroCredit(11));
  EXPECT_EQ(odd.validators, (std::vector{MicroCredit(8), MicroCredit(7)}));
  EXPECT_EQ(odd.coordinator, MicroCredit(5));
}

// spec/credit.md: whoever sends the same thing twice earns once.
TEST(Credit, AGroupHasOneShare) {
  const std::vector<std::size_t> groups = {0, 1, 0, 3, 1, 1};
  const RoundCredits credits = split_round({MicroCredit(1000), 100, 0, 0}, groups, 1);
  EXPECT_EQ(credits.trainers, (std::vector{MicroCredit(167), MicroCredit(111), MicroCredit(167),
                                           MicroCredit(333), MicroCredit(111), MicroCredit(111)}));
  EXPECT_EQ(sum(credits.trainers), 1000);
}

TEST(Credit, NothingIsCreatedOrLostInAnySplit) {
  Rng rng(testing::digest_of("credit"));
  for (int i = 0; i < 20'000; ++i) {
    CreditRule rule;
    rule.round = MicroCredit(rng.below(kRoundCreditMax + 1) >> rng.below(34));
    rule.trainer_percent = static_cast<std::int64_t>(rng.below(101));
    rule.validator_percent = static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(101 - rule.trainer_percent)));
    rule.coordinator_percent = 100 - rule.trainer_percent - rule.validator_percent;
    const RoundCredits credits = split_round(rule, alone(1 + rng.below(128)), 1 + rng.below(64));
    ASSERT_EQ(sum(credits.trainers) + sum(credits.validators) + credits.coordinator.micros(),
              rule.round.micros());
    ASSERT_LE(credits.trainers.front().micros() - credits.trainers.back().micros(), 1);
    ASSERT_GE(credits.trainers.back().micros(), 0);
  }
}

}  // namespace
}  // namespace harambee::fold

#include "base/decimal.h"

#include <gtest/gtest.h>

namespace harambee {
namespace {

TEST(Decimal, ReadsAndWritesTheShortestForm) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"0", 0},
      {"1", 1'000'000'000},
      {"-1", -1'000'000'000},
      {"0.003", 3'000'000},
      {"0.000000001", 1},
      {"-0.000000001", -1},
      {"10.5", 10'500'000'000},
      {"9199999999.999999999", 9'199'999'999'999'999'999},
      {"-9199999999.999999999", -9'199'999'999'999'999'999},
  };
  for (const auto& [text, nanos] : cases) {
    const auto value = Decimal::parse(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(value->nanos, nanos);
    EXPECT_EQ(value->str(), text);
  }
}

TEST(Decimal, OneNumberHasOneText) {
  for (const char* text :
       {"",      "-",   ".",    "1.",  ".5",  "-.5", "00", "01", "-0",  "-0.0",
        "0.0",   "1.0", "1.50", "+1",  "1e3", "0x1", " 1", "1 ", "1,5", "1.0000000001",
        "0.1.2", "--1", "1-",   "nan", "inf"}) {
    EXPECT_FALSE(Decimal::parse(text)) << text;
  }
}

TEST(Decimal, RefusesWhatDoesNotFit) {
  for (const char* text :
       {"9200000000", "-9200000000", "9999999999", "10000000000", "99999999999999999999999999"}) {
    const auto value = Decimal::parse(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::limit);
  }
}

TEST(Decimal, IsTheNearestDouble) {
  EXPECT_EQ(Decimal::parse("0.003")->to_double(), 0.003);
  EXPECT_EQ(Decimal::parse("0.9")->to_double(), 0.9);
  EXPECT_EQ(Decimal::parse("-0.00001")->to_double(), -0.00001);
  EXPECT_EQ(Decimal::parse("0.00000001")->to_double(), 0.00000001);
}

TEST(Decimal, WritesTheWholeRangeOfItsCount) {
  EXPECT_EQ((Decimal{INT64_MIN}.str()), "-9223372036.854775808");
  EXPECT_LT((Decimal{1}), (Decimal{2}));
}

}  // namespace
}  // namespace harambee

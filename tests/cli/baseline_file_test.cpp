// Curves as loggers write them, and what is no curve.
#include "cli/baseline_file.h"

#include <gtest/gtest.h>

namespace harambee::cli {
namespace {

using fold::BaselineOver;
using fold::BaselinePoint;

std::string why_not(std::string_view text) {
  const Result<BaselineFile> file = parse_baseline_file(text);
  return file ? "" : file.error().message;
}

TEST(BaselineFile, ReadsCsvWithOtherColumnsAndGaps) {
  const auto file = parse_baseline_file(
      "step,\"tokens\",train,loss\r\n1,0,9.9,2.5\r\n2,1e3,9.8,\r\n3,2000,9.7,2.25\n\n");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->over, BaselineOver::tokens);
  EXPECT_EQ(file->points, (std::vector<BaselinePoint>{{0, 2'500'000'000}, {2000, 2'250'000'000}}));
  EXPECT_EQ(file->points_in_file, 2u);
  EXPECT_EQ(parse_baseline_file("loss,round\n1,7\n")->over, BaselineOver::rounds);
}

TEST(BaselineFile, ReadsJson) {
  const std::vector<BaselinePoint> both = {{1, 1'500'000'000}, {2, 1'123'456'789}};
  for (const char* text :
       {R"([{"rounds":1,"loss":1.5},{"rounds":2,"loss":1.123456789}])",
        R"( {"label":"x","points":[{"round":1,"loss":1.5,"lr":3},{"round":2,"loss":1.123456789}]})",
        R"([{"round":1,"loss":1.5},{"step":4},{"round":2,"loss":1.123456789}])"}) {
    const auto file = parse_baseline_file(text);
    ASSERT_TRUE(file.ok()) << text << file.error().message;
    EXPECT_EQ(file->over, BaselineOver::rounds);
    EXPECT_EQ(file->points, both);
  }
}

TEST(BaselineFile, SaysWhatIsNoCurve) {
  EXPECT_NE(why_not(""), "");
  EXPECT_NE(why_not("tokens,loss\n"), "");
  EXPECT_NE(why_not("time,loss\n1,2\n"), "");
  EXPECT_NE(why_not("tokens,round,loss\n1,2,3\n"), "");
  EXPECT_EQ(why_not("tokens,loss\n1,2\n2,many\n"), "line 3: not a number");
  EXPECT_NE(why_not("tokens,loss\n1.5,2\n"), "");
  EXPECT_NE(why_not("tokens,loss\n-1,2\n"), "");
  EXPECT_NE(why_not("tokens,loss\n1,-2\n"), "");
  EXPECT_NE(why_not("tokens,loss\n1,nan\n"), "");
  EXPECT_NE(why_not("tokens,loss\nnan,1\n"), "");
  EXPECT_NE(why_not("tokens,loss\n1e30,1\n"), "");
  EXPECT_NE(why_not("tokens,loss\n1,1e30\n"), "");
  EXPECT_NE(why_not("loss,tokens\n1\n"), "");
  EXPECT_EQ(why_not("tokens,loss\n2,2\n2,1\n"), "the tokens do not ascend: 2 after 2");
  EXPECT_NE(why_not("[1,2"), "");
  EXPECT_NE(why_not("{}"), "");
  EXPECT_NE(why_not("[]"), "");
  EXPECT_NE(why_not("[1]"), "");
  EXPECT_NE(why_not(R"([{"loss":1}])"), "");
  EXPECT_NE(why_not(R"([{"tokens":"1","loss":1}])"), "");
  EXPECT_NE(why_not(R"([{"tokens":1,"loss":1},{"round":2,"loss":1}])"), "");
}

TEST(BaselineFile, ThinsWhatIsTooLongAndKeepsTheEnds) {
  std::string text = "tokens,loss\n";
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 10) + ",1.0\n";
  const auto file = parse_baseline_file(text);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->points_in_file, 5000u);
  ASSERT_EQ(file->points.size(), fold::kBaselinePointsMax);
  EXPECT_EQ(file->points.front().at, 0);
  EXPECT_EQ(file->points.back().at, 49'990);
  for (std::size_t i = 1; i < file->points.size(); ++i) {
    EXPECT_LT(file->points[i - 1].at, file->points[i].at);
  }
}

}  // namespace
}  // namespace harambee::cli

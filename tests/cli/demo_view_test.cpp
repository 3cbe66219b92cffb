#include "cli/demo_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace harambee::cli {
namespace {

using testing::HasSubstr;

DemoView some_view() {
  DemoView view;
  view.rounds = 80;
  view.round = 12;
  view.phase = "commit";
  view.loss_start_nanos = 2'610'400'000;
  view.loss_now_nanos = 2'431'200'000;
  view.sent_bytes = 180'000;
  view.data_parallel_bytes = 190'000'000;
  view.seconds_left = 83;
  VolunteerRow busy{.name = "volunteer-1", .state = "training", .step = 4, .steps = 7};
  busy.loss_nanos = 2'451'100'000;
  busy.tokens_per_second = 3120;
  busy.credit_micros = 912'345;
  VolunteerRow gone{.name = "volunteer-4", .state = "excluded: rejected", .mood = Mood::gone};
  view.rows = {busy, gone};
  return view;
}

TEST(DemoView, OneLineAVolunteerAndWhatItCosts) {
  const auto lines = block_lines(some_view(), no_paint());
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_THAT(lines[0], HasSubstr("round 13/80"));
  EXPECT_THAT(lines[0], HasSubstr("1m 23s left"));
  EXPECT_THAT(lines[1], HasSubstr("held-out loss 2.4312"));
  EXPECT_THAT(lines[3], HasSubstr("training"));
  EXPECT_THAT(lines[3], HasSubstr("4/7"));
  EXPECT_THAT(lines[3], HasSubstr("2.4511"));
  EXPECT_THAT(lines[3], HasSubstr("3,120"));
  EXPECT_THAT(lines[3], HasSubstr("0.912"));
  EXPECT_THAT(lines[4], HasSubstr("excluded"));
  EXPECT_THAT(lines[5], HasSubstr("1,055 times fewer"));
}

TEST(DemoView, FitsAnOrdinaryTerminal) {
  DemoView view = some_view();
  view.rows[0].state = "taking the weights of the round";
  view.loss_now_nanos.reset();
  for (const auto& line : block_lines(view, no_paint())) EXPECT_LT(line.size(), 80u) << line;
}

TEST(DemoView, NumbersStandUnderTheirWords) {
  const auto lines = block_lines(some_view(), no_paint());
  const auto ends_with = [](const std::string& line, const std::string& word) {
    return line.find(word) + word.size();
  };
  EXPECT_EQ(ends_with(lines[2], "credits"), ends_with(lines[3], "0.912"));
  EXPECT_EQ(ends_with(lines[2], "tok/s"), ends_with(lines[3], "3,120"));
  EXPECT_EQ(ends_with(lines[2], "loss"), ends_with(lines[3], "2.4511"));
}

TEST(DemoView, SaysAPlainLineARound) {
  const std::string line = round_line(some_view());
  EXPECT_THAT(line, HasSubstr("round  12/80"));
  EXPECT_THAT(line, HasSubstr("2.4312"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(DemoView, NeverDividesByNothing) {
  EXPECT_EQ(fewer(100, 0), "-");
  EXPECT_EQ(fewer(0, 100), "-");
  EXPECT_EQ(block_lines(DemoView{}, no_paint()).size(), 4u);
}

}  // namespace
}  // namespace harambee::cli

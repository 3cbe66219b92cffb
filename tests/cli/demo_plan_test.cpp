#include "cli/demo_plan.h"

#include <gtest/gtest.h>

namespace harambee::cli {
namespace {

Speed two_cores() { return {.cores = 2, .tokens_per_second = 5000}; }

DemoPlan plan_of(DemoRequest request, Speed speed = two_cores()) {
  auto plan = make_plan(request, speed);
  EXPECT_TRUE(plan.ok());
  return *plan;
}

TEST(DemoCast, FourVolunteersShowAllThreeEvents) {
  const auto parts = cast(4);
  EXPECT_FALSE(parts[0].is_killed || parts[0].joins_late || parts[0].cheats);
  EXPECT_TRUE(parts[1].is_killed);
  EXPECT_TRUE(parts[2].joins_late);
  EXPECT_TRUE(parts[3].cheats);
}

TEST(DemoCast, TheHonestAreAlwaysTheMajority) {
  for (unsigned n = 1; n <= kDemoVolunteersMax; ++n) {
    unsigned cheats = 0;
    for (const Part& part : cast(n)) cheats += part.cheats ? 1 : 0;
    EXPECT_LE(2 * cheats, n);
  }
}

TEST(DemoPlan, WantsNoMoreTimeThanAskedFor) {
  for (double speed : {1500.0, 5000.0, 20000.0}) {
    for (unsigned seconds : {200u, 255u, 600u}) {
      DemoRequest request;
      request.seconds = seconds;
      const DemoPlan plan = plan_of(request, {.cores = 2, .tokens_per_second = speed});
      const auto rounds = static_cast<unsigned>(plan.recipe.rounds);
      if (rounds > kDemoRoundsByTimeMin) {
        EXPECT_LE(plan.schedule.total(rounds), seconds) << speed;
      }
      EXPECT_GE(rounds, kDemoRoundsByTimeMin);
      EXPECT_LE(rounds, kDemoRoundsByTimeMax);
    }
  }
}

TEST(DemoPlan, TakesTheRoundsAskedFor) {
  DemoRequest request;
  request.rounds = 14;
  EXPECT_EQ(plan_of(request).recipe.rounds, 14);
}

TEST(DemoPlan, EveryEventHappensBeforeTheLastRounds) {
  for (unsigned rounds = kDemoRoundsMin; rounds <= 200; ++rounds) {
    DemoRequest request;
    request.rounds = rounds;
    const Script script = plan_of(request).script;
    EXPECT_LT(script.late_round, script.kill_round);
    EXPECT_LE(script.kill_round + 3, rounds);
  }
}

TEST(DemoPlan, RefusesWhatCannotBeShown) {
  DemoRequest few;
  few.rounds = kDemoRoundsMin - 1;
  auto refused = make_plan(few, two_cores());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("--rounds 9"), std::string::npos);
  DemoRequest nobody;
  nobody.volunteers = 0;
  EXPECT_FALSE(make_plan(nobody, two_cores()).ok());
  DemoRequest crowd;
  crowd.volunteers = kDemoVolunteersMax + 1;
  EXPECT_FALSE(make_plan(crowd, two_cores()).ok());
}

TEST(DemoPlan, TheRecipeIsOneThatTheLogTakes) {
  for (unsigned volunteers : {1u, 2u, 4u, 16u}) {
    DemoRequest request;
    request.volunteers = volunteers;
    const fold::Recipe recipe = plan_of(request).recipe;
    auto again = fold::recipe_from_json(fold::to_json(recipe));
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, recipe);
  }
}

TEST(DemoPlan, DataParallelSendsTwoBytesAParameterAndStep) {
  EXPECT_EQ(data_parallel_bytes(1'250'000, 500), 1'250'000'000u);
}

}  // namespace
}  // namespace harambee::cli

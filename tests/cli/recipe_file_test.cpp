#include "cli/recipe_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/suggest.h"
#include "tests/cli/program.h"

namespace harambee::cli {
namespace {

using ::testing::HasSubstr;

TEST(RecipeFile, WhatIsPrintedIsReadAsTheSameRecipe) {
  fold::Recipe recipe = fold::default_recipe();
  recipe.rounds = 7;
  recipe.inner.lr = Decimal{1'234'567};
  recipe.down.name = "dense";
  recipe.model.tied = true;
  Result<fold::Recipe> back = parse_recipe(to_toml(recipe), "recipe");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(*back, recipe);
}

TEST(RecipeFile, EveryFieldMayBeLeftOut) {
  Result<fold::Recipe> empty = parse_recipe("", "recipe");
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(*empty, fold::default_recipe());
  Result<fold::Recipe> one = parse_recipe("inner.lr = 0.001\n", "recipe");
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_EQ(one->inner.lr, Decimal{1'000'000});
}

TEST(RecipeFile, ShortRunsAuditLessUnlessTheFileSaysHowOften) {
  const auto judge = [](const std::string& text) {
    const Result<fold::Recipe> recipe = parse_recipe(text, "recipe");
    EXPECT_TRUE(recipe.ok()) << recipe.error().message;
    return recipe->judge;
  };
  EXPECT_EQ(judge("rounds = 34\n").audit, Decimal{36'500'000});
  EXPECT_EQ(judge("rounds = 34\n").audit_newcomer, Decimal{365'500'000});
  EXPECT_EQ(judge("rounds = 200\n").audit, Decimal{50'000'000});
  EXPECT_EQ(judge("rounds = 34\njudge.audit = 0.05\n").audit, Decimal{50'000'000});
  EXPECT_EQ(judge("rounds = 34\njudge.audit = 0.05\n").audit_newcomer, Decimal{500'000'000});
  EXPECT_EQ(judge("rounds = 34\njudge.audit_newcomer = 1\n").audit, Decimal{50'000'000});
}

TEST(RecipeFile, WhatNeedsHeldOutTextIsOffByDefaultWhereThereIsNone) {
  const Result<fold::Recipe> none = parse_recipe("gate.rows = 0\n", "recipe");
  ASSERT_TRUE(none.ok()) << none.error().message;
  EXPECT_FALSE(none->needs_held_out_text());
  EXPECT_EQ(none->judge.own_rounds, 0);
  EXPECT_EQ(none->judge.void_rise, Decimal{0});
  const Result<fold::Recipe> told = parse_recipe("gate.rows = 0\ngate.report = 8\n", "recipe");
  ASSERT_TRUE(told.ok()) << told.error().message;
  EXPECT_EQ(told->judge.void_rise, fold::default_recipe().judge.void_rise);
  const auto both = parse_recipe("gate.rows = 0\njudge.own_rounds = 24\n", "recipe");
  ASSERT_FALSE(both.ok());
  EXPECT_THAT(both.error().message, HasSubstr("judge.own_rounds"));
}

TEST(RecipeFile, NumbersThatTheLogCannotCarryAreRefused) {
  for (const char* bad :
       {"inner.lr = 0.00000000012", "inner.lr = nan", "inner.lr = 1e300", "inner.lr = true",
        "rounds = 1.5", "rounds = 1979-05-27", "model = 3", "seed = 7", "[inner]\n[inner]"}) {
    EXPECT_FALSE(parse_recipe(bad, "recipe").ok()) << bad;
  }
}

TEST(RecipeFile, TheDocumentShowsTheDefault) {
  std::string page = testing::slurp(HARAMBEE_SOURCE "/docs/reference-recipe.md");
  EXPECT_THAT(page, HasSubstr(to_toml(fold::default_recipe())));
}

TEST(Suggest, FindsWhatWasMeant) {
  std::vector<std::string> verbs = {"status", "verify", "join", "pull"};
  EXPECT_EQ(nearest("stauts", verbs), "status");
  EXPECT_EQ(nearest("jion", verbs), "join");
  EXPECT_EQ(nearest("xyzzy", verbs), "");
  EXPECT_EQ(nearest("", verbs), "");
}

}  // namespace
}  // namespace harambee::cli

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

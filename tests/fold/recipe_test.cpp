#include "fold/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using ::testing::HasSubstr;

// The default recipe with the member at `path` ("inner.lr") set to `value`; erased if none.
Json changed(const std::string& path, const std::optional<Json>& value) {
  JsonObject recipe = *to_json(default_recipe()).object();
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) {
    if (value) {
      recipe[path] = *value;
    } else {
      recipe.erase(path);
    }
    return recipe;
  }
  const std::string outer = path.substr(0, dot);
  const std::string inner = path.substr(dot + 1);
  JsonObject part = *recipe.at(outer).object();
  if (value) {
    part[inner] = *value;
  } else {
    part.erase(inner);
  }
  recipe[outer] = part;
  return recipe;
}

TEST(Recipe, IsWrittenAsTheSpecificationSays) {
  std::ifstream page(HARAMBEE_SOURCE "/spec/run.md");
  std::stringstream text;
  text << page.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("\n" + write(to_json(default_recipe())) + "\n"));
}

TEST(Recipe, ReadsWhatItWrites) {
  const Result<Recipe> recipe = recipe_from_json(to_json(default_recipe()));
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  EXPECT_EQ(*recipe, default_recipe());
  EXPECT_EQ(recipe->total_steps(), 400);
}

// Every member is needed, and none of them may be of another type or absurd.
TEST(Recipe, RefusesEveryMemberThatIsMissingOrWrong) {
  int members = 0;
  const auto attack = [&members](const std::string& path) {
    ++members;
    const std::vector<std::optional<Json>> attacks = {std::nullopt,      Json(nullptr),
                                                      Json(JsonArray{}), Json(JsonObject{}),
                                                      Json("x"),         Json(-1),
                                                      Json("-1"),        Json(kJsonIntegerMax),
                                                      Json(""),          Json("9200000000.0"),
                                                      Json("1e3")};
    for (const auto& attack : attacks) {
      EXPECT_FALSE(recipe_from_json(changed(path, attack)).ok())
          << path << " = " << (attack ? write(*attack) : "missing");
    }
  };
  const Json whole = to_json(default_recipe());
  for (const auto& [key, value] : *whole.object()) {
    attack(key);
    if (!value.object()) continue;
    for (const auto& [inner, unused] : *value.object()) {
      // "x" is a codec's name like any other: exact decides whether it knows it.
      if (inner != "name") attack(key + "." + inner);
    }
  }
  EXPECT_GE(members, 65);
}

TEST(Recipe, RefusesMembersItDoesNotKnow) {
  EXPECT_FALSE(recipe_from_json(changed("surprise", Json(1))).ok());
  EXPECT_FALSE(recipe_from_json(changed("inner.surprise", Json(1))).ok());
  EXPECT_FALSE(recipe_from_json(changed("model.surprise", Json(1))).ok());
}

TEST(Recipe, SaysWhichMemberIsWrong) {
  const Result<Recipe> recipe = recipe_from_json(changed("inner.lr", Json("-0.5")));
  ASSERT_FALSE(recipe.ok());
  EXPECT_THAT(recipe.error().message, HasSubstr("inner.lr"));
}

TEST(Recipe, PercentagesSumToAHundred) {
  EXPECT_FALSE(recipe_from_json(changed("credit.trainer", Json(81))).ok());
  EXPECT_FALSE(recipe_from_json(changed("credit.trainer", Json(79))).ok());
}

TEST(Recipe, EveryLayerOfTheJudgeCanBeSwitchedOff) {
  for (const char* layer :
       {"norm_max", "step_max", "guard", "void_rise", "audit", "audit_newcomer"}) {
    EXPECT_TRUE(recipe_from_json(changed(std::string("judge.") + layer, Json("0"))).ok()) << layer;
  }
  for (const char* layer : {"cohort", "committee", "newcomer_rounds", "own_rounds", "auditors"}) {
    EXPECT_TRUE(recipe_from_json(changed(std::string("judge.") + layer, Json(0))).ok()) << layer;
  }
  EXPECT_TRUE(recipe_from_json(changed("judge.similar", Json("1"))).ok());
  using Rule = AggregateRule;
  for (const Rule rule : {Rule::mean, Rule::clip, Rule::centered, Rule::neighbours, Rule::krum}) {
    const Result<Recipe> with = recipe_from_json(changed("judge.aggregate", Json(name(rule))));
    ASSERT_TRUE(with.ok()) << name(rule);
    EXPECT_EQ(with->judge.aggregate, rule);
  }
}

TEST(Recipe, AJudgeThatCouldNotJudgeIsRefused) {
  for (const auto& [member, value] :
       {std::pair("aggregate", Json("median")), std::pair("committee", Json(2)),
        std::pair("cohort", Json(1)),  // below min_contributions
        std::pair("cohort", Json(129)), std::pair("newcomer_share", Json("1")),
        std::pair("norm_max", Json("0.5")), std::pair("step_max", Json("0.5")),
        std::pair("own_rounds", Json(7)), std::pair("similar", Json("0")),
        std::pair("sample", Json("0")), std::pair("faulty", Json("0.5")),
        std::pair("centered_iterations", Json(0))}) {
    const Result<Recipe> recipe = recipe_from_json(changed(std::string("judge.") + member, value));
    ASSERT_FALSE(recipe.ok()) << member << " = " << write(value);
    EXPECT_THAT(recipe.error().message, HasSubstr(member));
  }
}

TEST(Recipe, AStepHasABoundedNumberOfTokens) {
  EXPECT_TRUE(recipe_from_json(changed("inner.batch", Json(65536))).ok());  // × 128 = 2^23
  JsonObject big = *changed("inner.batch", Json(65536)).object();
  JsonObject model = *big.at("model").object();
  model["context"] = 2048;
  big["model"] = model;
  EXPECT_FALSE(recipe_from_json(big).ok());
}

TEST(Recipe, IsNoRecipeIfItIsNoObject) {
  for (const Json& json : {Json(), Json(1), Json("recipe"), Json(JsonArray{})}) {
    EXPECT_FALSE(recipe_from_json(json).ok());
  }
}

}  // namespace
}  // namespace harambee::fold

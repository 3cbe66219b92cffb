#include "fold/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using ::testing::HasSubstr;

// The recipe of spec/run.md, byte for byte.
constexpr std::string_view kDefault =
    R"({"checkpoint_every":10,"codec":{"feedback":"0.95","keep":32,"name":"sign"},"commit_ms":8000,)"
    R"("credit":{"coordinator":5,"round":1000000,"trainer":80,"validator":15},)"
    R"("down":{"feedback":"1","keep":256,"name":"sign"},"gate":{"report":64,"rows":32,"step":"0.25"},)"
    R"("inner":{"batch":4,"beta1":"0.9","beta2":"0.99","clip":"1","eps":"0.00000001","final":"0.1",)"
    R"("lr":"0.003","steps":5,"warmup":20,"weight_decay":"0.1"},"min_contributions":2,)"
    R"("model":{"context":128,"ffn":384,"heads":4,"hidden":128,"kv_heads":2,"layers":6,)"
    R"("norm_eps":"0.00001","rope_theta":"10000","tied":false,"vocab":256},"outer":{"lr":"3"},)"
    R"("reveal_ms":5000,"rounds":80,"score_ms":15000,)"
    R"("seed":"SEED","shards_per_member":4,)"
    R"("warm":{"batch":16,"lr":"0.003","steps":200,"warmup":20}})";

std::string default_text() {
  std::string text(kDefault);
  const std::size_t at = text.find("SEED");
  return text.replace(at, 4, default_recipe().seed.hex());
}

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
  EXPECT_EQ(write(to_json(default_recipe())), default_text());
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
  EXPECT_GE(members, 48);
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

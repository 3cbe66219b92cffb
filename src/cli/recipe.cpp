#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/recipe_file.h"
#include "cli/verbs.h"
#include "fold/recipe.h"

namespace harambee::cli {
namespace {

Exit print(const fold::Recipe& recipe, Ui& ui) {
  std::string toml = to_toml(recipe);
  toml.pop_back();  // line() ends it
  ui.line(toml);
  ui.event(nlohmann::json::parse(write(fold::to_json(recipe))));
  return kOk;
}

}  // namespace

Exit recipe_default(const RecipeOptions&, Ui& ui) { return print(fold::default_recipe(), ui); }

Exit recipe_show(const RecipeOptions& options, Ui& ui) {
  Result<fold::Recipe> recipe = read_recipe_file(options.file);
  if (!recipe) {
    return ui.fail(recipe.error(), {"", "`harambee recipe default` prints a recipe to begin with"});
  }
  return print(*recipe, ui);
}

}  // namespace harambee::cli

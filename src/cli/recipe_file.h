// Recipes as people write them: TOML, every field optional, unknown names refused with the nearest
// known one (docs/reference-recipe.md). The only file that sees toml++ is recipe_file.cpp.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "fold/recipe.h"

namespace harambee::cli {

inline constexpr std::uint64_t kRecipeFileBytesMax = 64 * 1024;

// The default recipe with what the text says instead. `name` is for messages: "name:line: why".
[[nodiscard]] Result<fold::Recipe> parse_recipe(std::string_view toml, const std::string& name);
[[nodiscard]] Result<fold::Recipe> read_recipe_file(const std::string& path);
// All fields, with a comment each; parse_recipe() of it is the same recipe.
[[nodiscard]] std::string to_toml(const fold::Recipe& recipe);

}  // namespace harambee::cli

// "Did you mean …?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace harambee::cli {

// The candidate with the smallest edit distance, or empty when none is near (more than a third of
// the word's letters, and more than two, would have to change).
[[nodiscard]] std::string nearest(std::string_view word,
                                  const std::vector<std::string>& candidates);

}  // namespace harambee::cli

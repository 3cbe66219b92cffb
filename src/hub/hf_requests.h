// Reads what Hugging Face clients send (spec/huggingface.md §3): JSON that is not canonical, from
// strangers. Everything is bounded before it is looked at.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::hub {

// Body of paths-info: a form "paths=a&paths=b", or JSON {"paths":[…]}.
[[nodiscard]] Result<std::vector<std::string>> parse_paths(View body);

}  // namespace harambee::hub

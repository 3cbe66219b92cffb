// JSON that clients of other people's APIs send: floats and any spacing allowed, depth limited.
#pragma once

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace harambee::hub {

using Wild = nlohmann::json;

// Discarded (Wild::is_discarded) when it is no JSON, or nested deeper than depth_max.
[[nodiscard]] Wild parse_wild(View bytes, int depth_max);

}  // namespace harambee::hub

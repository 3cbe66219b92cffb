#include "hub/wild_json.h"

#include <algorithm>

namespace harambee::hub {

Wild parse_wild(View bytes, int depth_max) {
  int deepest = 0;
  const auto watch = [&](int depth, Wild::parse_event_t, Wild&) {
    deepest = std::max(deepest, depth);
    return depth <= depth_max;
  };
  Wild json = Wild::parse(bytes.begin(), bytes.end(), watch, false);
  if (deepest > depth_max) return Wild(Wild::value_t::discarded);
  return json;
}

}  // namespace harambee::hub

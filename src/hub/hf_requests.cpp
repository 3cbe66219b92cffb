#include "hub/hf_requests.h"

#include <nlohmann/json.hpp>

#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

using Wild = nlohmann::json;

constexpr int kDepthMax = 32;

// Null when it is no JSON, or nested too deep.
Wild parse_wild(View bytes) {
  int deepest = 0;
  const auto watch = [&](int depth, Wild::parse_event_t, Wild&) {
    deepest = std::max(deepest, depth);
    return depth <= kDepthMax;
  };
  Wild json = Wild::parse(bytes.begin(), bytes.end(), watch, false);
  if (json.is_discarded() || deepest > kDepthMax) return nullptr;
  return json;
}

}  // namespace

Result<std::vector<std::string>> parse_paths(View body) {
  std::size_t first = 0;
  while (first < body.size() && (body[first] == ' ' || body[first] == '\n')) ++first;
  if (first == body.size() || body[first] != '{') {
    return values_of(parse_form(text(body)), "paths");
  }
  const Wild json = parse_wild(body);
  const auto paths = json.find("paths");
  if (!json.is_object() || paths == json.end()) return invalid("\"paths\" is missing");
  std::vector<std::string> out;
  if (paths->is_string()) out.push_back(paths->get<std::string>());
  if (!paths->is_array()) return out;
  for (const Wild& path : *paths) {
    if (!path.is_string()) return invalid("\"paths\" is no list of strings");
    out.push_back(path.get<std::string>());
  }
  return out;
}

}  // namespace harambee::hub

// Pages for people, made from the views: complete without JavaScript; with it, the dashboard takes
// the same page over. Nothing is inline and nothing comes from elsewhere (kPagePolicy).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace harambee::hub {

inline constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct PageFacts {
  std::string url;   // where the reader found this hub: "http://host:port"
  std::string vkey;  // the log's
  std::optional<std::string> damage;
};

[[nodiscard]] std::string escape_html(std::string_view text);
// A whole page around `body`, which is HTML; `title` is text.
[[nodiscard]] std::string whole_page(std::string_view title, const std::string& body,
                                     const PageFacts& facts);
// Bodies, from the views of the same names.
[[nodiscard]] std::string map_body(const Json& view, const PageFacts& facts);
[[nodiscard]] std::string run_body(const Json& view, const PageFacts& facts);
[[nodiscard]] std::string samples_body(const Json& view);
// Of any view with a member "explanation"; and of a peer, whose runs it lists.
[[nodiscard]] std::string detail_body(const Json& view);
// The style sheet of pages without the bundle.
[[nodiscard]] std::string_view plain_style();

}  // namespace harambee::hub

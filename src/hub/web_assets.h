// The dashboard's bundle, embedded when the hub was built where Node is (web/,
// cmake/web_assets.cmake); else there is none, and the hub's pages say how to add it.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace harambee::hub {

struct WebAsset {
  std::string_view name;  // "index.html", "assets/index-….js"
  std::string_view type;  // media type
  std::string_view etag;  // with its quotes
  View bytes;
  View gzip;  // the same, compressed; empty if that does not pay
};

// Empty without a bundle. The bytes live as long as the program.
[[nodiscard]] std::span<const WebAsset> web_assets();
// Null if there is none of that name.
[[nodiscard]] const WebAsset* web_asset(std::string_view name);

}  // namespace harambee::hub

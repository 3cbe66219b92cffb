// What a person sees who opens the hub's address in a browser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/order.h"

namespace harambee::hub {

struct PageFacts {
  std::string origin;
  std::string vkey;
  std::uint64_t size = 0;
  std::optional<std::string> damage;
  std::vector<NamedRun> runs;
};

[[nodiscard]] std::string escape_html(std::string_view text);
[[nodiscard]] std::string front_page(const PageFacts& facts);

}  // namespace harambee::hub

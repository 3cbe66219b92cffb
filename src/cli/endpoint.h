// Where a server of ours listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace harambee::cli {

struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
};

// "127.0.0.1:8080", "[::1]:8080", ":8080" (every address of this machine).
[[nodiscard]] std::optional<Endpoint> parse_endpoint(const std::string& text);

}  // namespace harambee::cli

#include "cli/endpoint.h"

#include <charconv>

namespace harambee::cli {

std::optional<Endpoint> parse_endpoint(const std::string& text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  Endpoint endpoint;
  endpoint.address = text.substr(0, colon);
  if (endpoint.address.size() > 1 && endpoint.address.front() == '[') {
    endpoint.address = endpoint.address.substr(1, endpoint.address.size() - 2);
  }
  if (endpoint.address.empty()) endpoint.address = "0.0.0.0";
  if (endpoint.address == "localhost") endpoint.address = "127.0.0.1";
  const char* first = text.data() + colon + 1;
  const char* last = text.data() + text.size();
  auto [end, error] = std::from_chars(first, last, endpoint.port);
  if (error != std::errc() || end != last || first == last) return std::nullopt;
  return endpoint;
}

}  // namespace harambee::cli

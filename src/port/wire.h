// The way to other machines: one HTTP exchange at a time, outbound only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee {

struct WireRequest {
  std::string method = "GET";
  std::string url;  // http://host:port/path
  std::map<std::string, std::string, std::less<>> headers;
  View body;                                       // borrowed until exchange() returns
  std::int64_t timeout_ms = 30'000;                // whole exchange
  std::uint64_t response_bytes_max = 64ull << 20;  // more is an error, not a truncation
  // Takes the answer's body while it comes, which is then empty in the response; from the thread of
  // exchange(). False ends the exchange: cancelled. A wire without a network may give all at once.
  std::function<bool(int status, View part)> on_part = {};
};

struct WireResponse {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  Bytes body;
};

// Bytes on the wire as far as the program can see them: request lines, headers and bodies.
struct Traffic {
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
};

class Wire {
 public:
  virtual ~Wire() = default;
  // An answer of any status is a value; only its absence is an error (unavailable, limit,
  // cancelled). Thread-safe.
  [[nodiscard]] virtual Result<WireResponse> exchange(const WireRequest& request) = 0;
  // All exchanges so far, failed ones included.
  [[nodiscard]] virtual Traffic traffic() const = 0;
};

}  // namespace harambee

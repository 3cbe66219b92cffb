// Addresses that allow one upload each, for clients that send no token with the bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace harambee::hub {

// Links are signed with a secret of this process (HMAC-SHA-256): a restart ends them, and the
// client asks for new ones. Thread-safe.
class UploadLinks {
 public:
  UploadLinks();

  // "size=N&until=MS&signature=HEX"
  [[nodiscard]] std::string sign(const Digest& digest, std::uint64_t size,
                                 std::int64_t until_ms) const;
  // The size that the query allows for this digest now.
  [[nodiscard]] std::optional<std::uint64_t> check(const Digest& digest, std::string_view query,
                                                   std::int64_t now_ms) const;

 private:
  [[nodiscard]] std::string signature(const Digest& digest, std::uint64_t size,
                                      std::int64_t until_ms) const;
  Digest secret_;
};

}  // namespace harambee::hub

// The text of an HTTP/1.1 response head. Only for net/*.cpp.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "hub/http.h"

namespace harambee::net {

[[nodiscard]] const char* reason_phrase(int status);
// IMF-fixdate (RFC 9110 §5.6.7).
[[nodiscard]] std::string http_date(std::time_t time);
// Status line, fields, empty line. Control characters in field values are left out: whatever the
// hub puts there, it cannot split the answer. Without a length the body ends with the connection.
[[nodiscard]] std::string response_head(const hub::HttpResponse& response,
                                        std::optional<std::uint64_t> content_length, bool last,
                                        const std::string& date);

}  // namespace harambee::net

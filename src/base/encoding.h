// Hex and base64 (RFC 4648), strict: one text for one byte string.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee {

[[nodiscard]] std::string hex(View bytes);  // lower case
// Lower case only, even length.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);
// Standard alphabet, padded.
[[nodiscard]] std::string base64(View bytes);
// Refuses missing padding, white space, the URL-safe alphabet and non-zero trailing bits.
[[nodiscard]] Result<Bytes> from_base64(std::string_view text);

}  // namespace harambee

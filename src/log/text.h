// Line-wise reading that the log's text formats share. Internal to this room.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/encoding.h"
#include "base/hash.h"

namespace harambee::log {

// The next line without its LF; none if the text is at its end or the line has no LF.
[[nodiscard]] inline std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == rest.npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

// Decimal digits without leading zeros, below 2^64.
[[nodiscard]] inline std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// base64 of 32 bytes.
[[nodiscard]] inline std::optional<Digest> parse_hash(std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  Digest hash;
  std::copy(bytes->begin(), bytes->end(), hash.bytes.begin());
  return hash;
}

}  // namespace harambee::log

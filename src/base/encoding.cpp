#include "base/encoding.h"

#include <array>

namespace harambee {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> values_of(std::string_view digits) {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    values[static_cast<std::uint8_t>(digits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto kHexValues = values_of(kHexDigits);
constexpr auto kBase64Values = values_of(kBase64Digits);

std::uint32_t hex_value(char c) { return kHexValues[static_cast<std::uint8_t>(c)]; }
std::uint32_t base64_value(char c) { return kBase64Values[static_cast<std::uint8_t>(c)]; }

}  // namespace

std::string hex(View bytes) {
  std::string out(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kHexDigits[bytes[i] >> 4];
    out[2 * i + 1] = kHexDigits[bytes[i] & 15];
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return invalid("hex of odd length");
  Bytes out(text.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint32_t high = hex_value(text[2 * i]);
    const std::uint32_t low = hex_value(text[2 * i + 1]);
    if ((high | low) > 15) return invalid("not lower-case hex");
    out[i] = static_cast<std::uint8_t>((high << 4) | low);
  }
  return out;
}

std::string base64(View bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  std::size_t at = 0;
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
    out[at++] = kBase64Digits[group >> 18];
    out[at++] = kBase64Digits[(group >> 12) & 63];
    out[at++] = kBase64Digits[(group >> 6) & 63];
    out[at++] = kBase64Digits[group & 63];
  }
  const std::size_t rest = bytes.size() - i;
  if (rest == 0) return out;
  const std::uint32_t group = bytes[i] << 16 | (rest == 2 ? bytes[i + 1] << 8 : 0);
  out[at++] = kBase64Digits[group >> 18];
  out[at++] = kBase64Digits[(group >> 12) & 63];
  if (rest == 2) out[at] = kBase64Digits[(group >> 6) & 63];
  return out;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return invalid("base64 without its padding");
  std::size_t padding = 0;
  if (text.ends_with("==")) {
    padding = 2;
  } else if (text.ends_with('=')) {
    padding = 1;
  }
  Bytes out(text.size() / 4 * 3 - padding);
  const std::size_t whole = (text.size() - (padding != 0 ? 4 : 0)) / 4;
  std::uint32_t seen = 0;  // has a bit above 63 once any digit was none
  for (std::size_t g = 0; g < whole; ++g) {
    const std::uint32_t a = base64_value(text[4 * g]), b = base64_value(text[4 * g + 1]);
    const std::uint32_t c = base64_value(text[4 * g + 2]), d = base64_value(text[4 * g + 3]);
    seen |= a | b | c | d;
    out[3 * g] = static_cast<std::uint8_t>(a << 2 | b >> 4);
    out[3 * g + 1] = static_cast<std::uint8_t>(b << 4 | c >> 2);
    out[3 * g + 2] = static_cast<std::uint8_t>(c << 6 | d);
  }
  if (padding != 0) {
    const std::uint32_t a = base64_value(text[4 * whole]), b = base64_value(text[4 * whole + 1]);
    const std::uint32_t c = padding == 1 ? base64_value(text[4 * whole + 2]) : 0;
    seen |= a | b | c;
    out[3 * whole] = static_cast<std::uint8_t>(a << 2 | b >> 4);
    if (padding == 1) out[3 * whole + 1] = static_cast<std::uint8_t>(b << 4 | c >> 2);
    if ((padding == 2 ? b & 15 : c & 3) != 0) return invalid("base64 with trailing bits");
  }
  if (seen > 63) return invalid("not standard base64");
  return out;
}

}  // namespace harambee

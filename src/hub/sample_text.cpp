#include "hub/sample_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace harambee::hub {

namespace {

constexpr std::uint32_t kReplacement = 0xfffd;
constexpr std::uint32_t kPictures = 0x2400;

// The code point at `at`, which moves behind it; of malformed bytes the first alone.
std::uint32_t take_point(View bytes, std::size_t& at) {
  const std::uint8_t first = bytes[at++];
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4 || bytes.size() - at < more) return kReplacement;
  std::uint32_t point = first & (0x3fu >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if ((bytes[at + i] & 0xc0) != 0x80) return kReplacement;
    point = point << 6 | (bytes[at + i] & 0x3fu);
  }
  const std::uint32_t least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
  if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return kReplacement;
  at += more;
  return point;
}

bool turns_or_hides(std::uint32_t point) {
  return (point >= 0x80 && point < 0xa0) || point == 0x61c || point == 0xfeff ||
         (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x206f);
}

std::uint32_t shown(std::uint32_t point) {
  if (point == '\n' || point == '\t') return point;
  if (point < 0x20) return kPictures + point;
  if (point == 0x7f) return kPictures + 0x21;
  return turns_or_hides(point) ? kReplacement : point;
}

void put(std::string& out, std::uint32_t point) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) {
    byte(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    byte(0xe0 | point >> 12);
    byte(0x80 | (point >> 6 & 0x3f));
  } else {
    byte(0xf0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3f));
    byte(0x80 | (point >> 6 & 0x3f));
  }
  byte(0x80 | (point & 0x3f));
}

}  // namespace

std::string readable(View bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) put(out, shown(take_point(bytes, at)));
  return out;
}

std::size_t whole_characters(View bytes) {
  // At most the last three bytes can begin a character that is not whole yet.
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const std::uint8_t byte = bytes[bytes.size() - back];
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return needs > back && byte <= 0xf4 ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

}  // namespace harambee::hub

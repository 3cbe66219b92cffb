#include "format/byte_characters.h"

namespace harambee::format {
namespace {

// UTF-8 of a code point below U+0800.
std::string utf8(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

}  // namespace

std::string byte_character(unsigned byte) {
  const auto printable = [](unsigned b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  };
  if (printable(byte)) return utf8(byte);
  unsigned code = 256;
  for (unsigned b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  return utf8(code);
}

}  // namespace harambee::format

// How byte-level tokenizers write bytes as characters.
#pragma once

#include <string>

namespace harambee::format {

// The printable character that stands for a byte, in UTF-8 (GPT-2's table): printable Latin-1
// stands for itself, the other 68 bytes follow from U+0100.
[[nodiscard]] std::string byte_character(unsigned byte);

}  // namespace harambee::format

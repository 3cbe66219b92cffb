// A stranger's bytes as text that can be looked at (spec/sample.md): what a byte-level model writes
// may be anything.
#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.h"

namespace harambee::hub {

// Valid UTF-8 for any bytes: line feeds and tabs as they are, other control characters as their
// pictures (U+2400 …), and what is no text, or would turn the reading direction of what stands
// around it, as U+FFFD. Not escaped for HTML.
[[nodiscard]] std::string readable(View bytes);

// How many bytes from the front are whole characters of UTF-8 or can never become one: what comes
// after them may be the beginning of one.
[[nodiscard]] std::size_t whole_characters(View bytes);

}  // namespace harambee::hub

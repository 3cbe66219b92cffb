// The body of GET /log (spec/hub-api.md): a signed checkpoint note, a line
// "entries <from> <count> <bytes>", and the entries, each behind its u16be length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::node {

struct LogAnswer {
  std::string note;  // not verified
  std::uint64_t from = 0;
  std::vector<Bytes> entries;
};

// unavailable, with what makes no sense: whoever answers so may be another program altogether.
[[nodiscard]] Result<LogAnswer> parse_log_answer(View body);

// The length-prefixed entry at the front of `rest`, which moves on; nothing if it is torn.
[[nodiscard]] std::optional<View> take_entry(View& rest);
void put_entry(Bytes& out, View entry);

}  // namespace harambee::node

#include "node/log_answer.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace harambee::node {
namespace {

constexpr std::string_view kSignatureLine = "\xe2\x80\x94 ";  // "— "
constexpr std::string_view kEntriesLine = "entries ";

Error nonsense(const std::string& what) {
  return fail(ErrorCode::unavailable, "the hub's answer to /log makes no sense: " + what);
}

Result<std::uint64_t> take_number(std::string_view& line) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc{}) return nonsense("no number in the entries line");
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return value;
}

// Where the note ends: after the signature lines that follow the first empty line.
Result<std::size_t> note_size(std::string_view all) {
  std::size_t at = all.find("\n\n");
  if (at == std::string_view::npos) return nonsense("no checkpoint");
  at += 2;
  while (all.substr(at).starts_with(kSignatureLine)) {
    const std::size_t end = all.find('\n', at);
    if (end == std::string_view::npos) return nonsense("a torn checkpoint");
    at = end + 1;
  }
  return at;
}

}  // namespace

std::optional<View> take_entry(View& rest) {
  if (rest.size() < 2) return std::nullopt;
  const std::size_t size = get_u16be(rest.data());
  if (rest.size() < 2 + size) return std::nullopt;
  const View entry = rest.subspan(2, size);
  rest = rest.subspan(2 + size);
  return entry;
}

void put_entry(Bytes& out, View entry) {
  HARAMBEE_CHECK(entry.size() <= 0xffff);
  put_u16be(out, static_cast<std::uint16_t>(entry.size()));
  out.insert(out.end(), entry.begin(), entry.end());
}

Result<LogAnswer> parse_log_answer(View body) {
  const std::string_view all = text(body);
  const auto at = note_size(all);
  if (!at) return at.error();
  const std::size_t line_end = all.find('\n', *at);
  if (!all.substr(*at).starts_with(kEntriesLine) || line_end == std::string_view::npos) {
    return nonsense("no entries line");
  }
  std::string_view line = all.substr(*at, line_end - *at).substr(kEntriesLine.size());
  const auto from = take_number(line);
  if (!from) return from.error();
  const auto count = take_number(line);
  if (!count) return count.error();
  const auto bytes = take_number(line);
  if (!bytes) return bytes.error();
  View rest = body.subspan(line_end + 1);
  if (!line.empty() || *bytes != rest.size()) return nonsense("wrong length of the entries");
  LogAnswer answer{std::string(all.substr(0, *at)), *from, {}};
  while (!rest.empty()) {
    const auto entry = take_entry(rest);
    if (!entry) return nonsense("a torn entry");
    answer.entries.emplace_back(entry->begin(), entry->end());
  }
  if (answer.entries.size() != *count) return nonsense("wrong number of entries");
  return answer;
}

}  // namespace harambee::node

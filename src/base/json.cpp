#include "base/json.h"

#include <array>
#include <charconv>

namespace harambee {

Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

const Json* Json::find(std::string_view key) const {
  const JsonObject* members = object();
  if (members == nullptr) return nullptr;
  const auto at = members->find(key);
  return at == members->end() ? nullptr : &at->second;
}

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// The letter of RFC 8785's two-character escapes, or 0.
constexpr char short_escape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\b':
      return 'b';
    case '\t':
      return 't';
    case '\n':
      return 'n';
    case '\f':
      return 'f';
    case '\r':
      return 'r';
    default:
      return 0;
  }
}

constexpr bool is_plain(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x20 && u < 0x80 && c != '"' && c != '\\';
}
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (int i = 0; i < 256; ++i) plain[i] = is_plain(static_cast<char>(i));
  return plain;
}();

// The length of the well-formed UTF-8 sequence (Unicode table 3-7) at p, or 0. p[0] >= 0x80.
std::size_t utf8_length(const char* p, const char* end) {
  const auto at = [&](std::ptrdiff_t i) {
    return p + i < end ? static_cast<unsigned char>(p[i]) : 0u;
  };
  const auto tail = [](unsigned c) { return (c & 0xc0) == 0x80; };
  const unsigned lead = at(0), second = at(1);
  if (lead >= 0xc2 && lead <= 0xdf) return tail(second) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (lead == 0xe0 && second < 0xa0) return 0;  // overlong
    if (lead == 0xed && second > 0x9f) return 0;  // a surrogate
    return tail(second) && tail(at(2)) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (lead == 0xf0 && second < 0x90) return 0;  // overlong
    if (lead == 0xf4 && second > 0x8f) return 0;  // above U+10FFFF
    return tail(second) && tail(at(2)) && tail(at(3)) ? 4 : 0;
  }
  return 0;
}

// One pass, and each production takes the canonical spelling alone, so that what is accepted is
// what write() would write; the fuzz target holds us to it.
class Parser {
 public:
  explicit Parser(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  Result<Json> run() {
    Result<Json> result{Json()};
    if (parse_value(*result, 0) && at_ != end_) no("bytes after the value");
    if (reason_ != nullptr) result = invalid(std::string("not canonical JSON: ") + reason_);
    return result;
  }

 private:
  bool no(const char* reason) {
    if (reason_ == nullptr) reason_ = reason;
    return false;
  }
  [[nodiscard]] char peek() const { return at_ != end_ ? *at_ : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ == end_) return false;
    ++at_;
    return true;
  }

  bool parse_value(Json& out, int depth) {
    switch (peek()) {
      case '{':
        return parse_object(out, depth);
      case '[':
        return parse_array(out, depth);
      case '"': {
        std::string text;
        if (!parse_string(text)) return false;
        out = Json(std::move(text));
        return true;
      }
      case 't':
        return parse_word("true", Json(true), out);
      case 'f':
        return parse_word("false", Json(false), out);
      case 'n':
        return parse_word("null", Json(nullptr), out);
      default:
        return parse_integer(out);
    }
  }

  bool parse_word(std::string_view word, Json value, Json& out) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() ||
        std::string_view(at_, word.size()) != word) {
      return no("an unknown word");
    }
    at_ += word.size();
    out = std::move(value);
    return true;
  }

  bool parse_integer(Json& out) {
    const bool negative = take('-');
    const char* const first = at_;
    std::int64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      if (at_ - first == 16) return no("an integer above 2^53 - 1");
      value = value * 10 + (*at_++ - '0');
    }
    if (at_ == first) return no("an unexpected character");
    if (*first == '0' && (at_ - first > 1 || negative)) return no("a zero in front");
    if (value > kJsonIntegerMax) return no("an integer above 2^53 - 1");
    if (peek() == '.' || peek() == 'e' || peek() == 'E') return no("a number with a fraction");
    out = Json(negative ? -value : value);
    return true;
  }

  bool parse_escape(std::string& out) {
    ++at_;  // the backslash
    const char kind = peek();
    ++at_;
    for (const char c : std::string_view("\"\\\b\t\n\f\r")) {
      if (short_escape(c) == kind) {
        out += c;
        return true;
      }
    }
    if (kind != 'u' || end_ - at_ < 4) return no("an unknown escape");
    const std::size_t high = kHexDigits.find(at_[2]), low = kHexDigits.find(at_[3]);
    if (at_[0] != '0' || at_[1] != '0' || high > 1 || low == kHexDigits.npos) {
      return no("an escape that need not be");
    }
    const char c = static_cast<char>(high << 4 | low);
    if (short_escape(c) != 0) return no("an escape that could be shorter");
    out += c;
    at_ += 4;
    return true;
  }

  bool parse_string(std::string& out) {
    if (!take('"')) return no("a string should be here");
    for (;;) {
      const char* const first = at_;
      while (at_ != end_ && kPlain[static_cast<unsigned char>(*at_)]) ++at_;
      out.append(first, at_);
      if (at_ == end_) return no("a string without an end");
      if (*at_ == '"') {
        ++at_;
        return true;
      }
      if (*at_ == '\\') {
        if (end_ - at_ < 2) return no("a string without an end");
        if (!parse_escape(out)) return false;
        continue;
      }
      if (static_cast<unsigned char>(*at_) < 0x20) return no("a bare control character");
      const std::size_t length = utf8_length(at_, end_);
      if (length == 0) return no("invalid UTF-8");
      out.append(at_, length);
      at_ += length;
    }
  }

  bool parse_array(Json& out, int depth) {
    if (depth == kJsonDepthMax) return no("nested too deeply");
    ++at_;
    JsonArray items;
    if (!take(']')) {
      do {
        if (!parse_value(items.emplace_back(), depth + 1)) return false;
      } while (take(','));
      if (!take(']')) return no("a list without an end");
    }
    out = Json(std::move(items));
    return true;
  }

  bool parse_member(JsonObject& members, int depth) {
    std::string key;
    if (!parse_string(key)) return false;
    for (const char c : key) {
      if (static_cast<unsigned char>(c) >= 0x80) return no("a key that is not ASCII");
    }
    if (!members.empty() && members.rbegin()->first >= key) return no("keys out of order");
    if (!take(':')) return no("a key without a value");
    const auto member = members.emplace_hint(members.end(), std::move(key), Json());
    return parse_value(member->second, depth + 1);
  }

  bool parse_object(Json& out, int depth) {
    if (depth == kJsonDepthMax) return no("nested too deeply");
    ++at_;
    JsonObject members;
    if (!take('}')) {
      do {
        if (!parse_member(members, depth)) return false;
      } while (take(','));
      if (!take('}')) return no("an object without an end");
    }
    out = Json(std::move(members));
    return true;
  }

  const char* at_;
  const char* end_;
  const char* reason_ = nullptr;
};

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (is_plain(c) || static_cast<unsigned char>(c) >= 0x80) {
      out += c;
    } else if (const char letter = short_escape(c); letter != 0) {
      out += '\\';
      out += letter;
    } else {
      out += "\\u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  out += '"';
}

void append(std::string& out, const Json& value) {
  if (value.is_null()) {
    out += "null";
  } else if (const bool* flag = value.boolean()) {
    out += *flag ? "true" : "false";
  } else if (const std::int64_t* integer = value.integer()) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *integer).ptr;
    out.append(digits.data(), end);
  } else if (const std::string* text = value.string()) {
    append_string(out, *text);
  } else if (const JsonArray* items = value.array()) {
    char before = '[';
    for (const Json& item : *items) {
      out += before;
      append(out, item);
      before = ',';
    }
    if (items->empty()) out += '[';
    out += ']';
  } else if (const JsonObject* members = value.object()) {
    char before = '{';
    for (const auto& [key, member] : *members) {
      out += before;
      append_string(out, key);
      out += ':';
      append(out, member);
      before = ',';
    }
    if (members->empty()) out += '{';
    out += '}';
  }
}

}  // namespace

Result<Json> parse_canonical(View bytes) { return Parser(text(bytes)).run(); }

std::string write(const Json& value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace harambee

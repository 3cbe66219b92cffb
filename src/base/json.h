// JSON as records use it: RFC 8785 (JCS) restricted to ASCII keys and integers |n| <= 2^53 - 1.
// A text is accepted only if it is byte for byte what write() makes of its value.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee {

class Json;
using JsonArray = std::vector<Json>;
using JsonObject = std::map<std::string, Json, std::less<>>;

inline constexpr std::int64_t kJsonIntegerMax = (std::int64_t{1} << 53) - 1;
inline constexpr int kJsonDepthMax = 16;

class Json {
 public:
  Json() : value_(nullptr) {}
  Json(std::nullptr_t) : value_(nullptr) {}
  Json(bool value) : value_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) Json(T value)
      : value_(static_cast<std::int64_t>(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(JsonArray value) : value_(std::move(value)) {}
  Json(JsonObject value) : value_(std::move(value)) {}

  // Out of line: inlined, they make GCC 12 warn of uninitialized variants wherever Json is used.
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();

  bool operator==(const Json&) const = default;

  // Null when the value is of another type: callers say what they wanted.
  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&value_); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const JsonArray* array() const { return std::get_if<JsonArray>(&value_); }
  [[nodiscard]] const JsonObject* object() const { return std::get_if<JsonObject>(&value_); }
  // To change the value in place, or to move parts out of it.
  [[nodiscard]] JsonObject* object() { return std::get_if<JsonObject>(&value_); }
  // The member of an object, or null if this is no object or has no such member.
  [[nodiscard]] const Json* find(std::string_view key) const;

 private:
  std::variant<std::nullptr_t, bool, std::int64_t, std::string, JsonArray, JsonObject> value_;
};

// Refuses: anything that is not exactly write(value); floats, exponents, -0, duplicate or unsorted
// keys, non-ASCII keys, invalid UTF-8, lone surrogates, depth > kJsonDepthMax, trailing bytes.
[[nodiscard]] Result<Json> parse_canonical(View bytes);
// Keys sorted bytewise, no white space, RFC 8785 string escapes.
[[nodiscard]] std::string write(const Json& value);

}  // namespace harambee

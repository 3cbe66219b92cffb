// Reads the members of a JSON object from a stranger: every member has a type and limits, and a
// member that nobody asked for is refused. The first thing wrong is remembered and named; after it
// the readers return harmless values, so that a parser can be written straight down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"
#include "base/sign.h"

namespace harambee::fold {

// 1 … bytes_max of [a-z0-9-], not beginning or ending with '-'.
[[nodiscard]] bool is_slug(std::string_view text, std::size_t bytes_max);
// 1 … bytes_max printable ASCII characters without '"' and '\', so that JSON never escapes them.
[[nodiscard]] bool is_plain(std::string_view text, std::size_t bytes_max);

class Fields {
 public:
  // `json` must outlive the reader. `where` begins every message: "body", "recipe.inner".
  Fields(const Json& json, std::string where);

  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max);
  bool boolean(std::string_view key);
  Decimal decimal(std::string_view key, Decimal min, Decimal max);
  Digest digest(std::string_view key);
  std::optional<Digest> digest_or_null(std::string_view key);
  PublicKey public_key(std::string_view key);
  std::string slug(std::string_view key, std::size_t bytes_max);
  std::string plain(std::string_view key, std::size_t bytes_max);
  const JsonArray& array(std::string_view key, std::size_t count_max);
  // Any value; null Json if missing.
  const Json& any(std::string_view key);

  // Something else that is wrong with a member.
  void refuse(std::string_view key, std::string_view what);
  void refuse(const Error& error);
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  // Refuses unknown members; otherwise the first failure, or ok.
  [[nodiscard]] Status finish();

 private:
  const Json* take(std::string_view key);

  const Json& json_;
  std::string where_;
  std::size_t taken_ = 0;
  std::optional<Error> error_;
};

}  // namespace harambee::fold

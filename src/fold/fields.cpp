#include "fold/fields.h"

#include <algorithm>

namespace harambee::fold {

bool is_slug(std::string_view text, std::size_t bytes_max) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= bytes_max && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool is_plain(std::string_view text, std::size_t bytes_max) {
  const auto allowed = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
  return !text.empty() && text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), allowed);
}

Fields::Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
  if (!json_.object()) error_ = invalid(where_ + ": must be an object");
}

void Fields::refuse(std::string_view key, std::string_view what) {
  if (!error_) error_ = invalid(where_ + "." + std::string(key) + ": " + std::string(what));
}

void Fields::refuse(const Error& error) {
  if (!error_) error_ = wrap(error, where_);
}

const Json* Fields::take(std::string_view key) {
  if (error_) return nullptr;
  const Json* member = json_.find(key);
  if (!member) {
    refuse(key, "is missing");
    return nullptr;
  }
  ++taken_;
  return member;
}

std::int64_t Fields::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const Json* member = take(key);
  if (!member) return min;
  const std::int64_t* value = member->integer();
  if (!value) {
    refuse(key, "must be an integer");
    return min;
  }
  if (*value < min || *value > max) {
    refuse(key, "must be between " + std::to_string(min) + " and " + std::to_string(max));
    return min;
  }
  return *value;
}

bool Fields::boolean(std::string_view key) {
  const Json* member = take(key);
  if (!member) return false;
  const bool* value = member->boolean();
  if (!value) refuse(key, "must be true or false");
  return value && *value;
}

Decimal Fields::decimal(std::string_view key, Decimal min, Decimal max) {
  const Json* member = take(key);
  if (!member) return min;
  const std::string* written = member->string();
  if (!written) {
    refuse(key, "must be a decimal number in a string");
    return min;
  }
  const Result<Decimal> value = Decimal::parse(*written);
  if (!value) {
    refuse(key, value.error().message);
    return min;
  }
  if (*value < min || *value > max) {
    refuse(key, "must be between " + min.str() + " and " + max.str());
    return min;
  }
  return *value;
}

namespace {

template <typename T>
std::optional<T> hex_member(Fields& fields, std::string_view key, const Json* member) {
  if (!member) return std::nullopt;
  const std::string* written = member->string();
  if (written) {
    Result<T> value = T::from_hex(*written);
    if (value) return *value;
  }
  fields.refuse(key, "must be 64 lower-case hex digits");
  return std::nullopt;
}

}  // namespace

Digest Fields::digest(std::string_view key) {
  return hex_member<Digest>(*this, key, take(key)).value_or(Digest{});
}

std::optional<Digest> Fields::digest_or_null(std::string_view key) {
  const Json* member = take(key);
  if (!member || member->is_null()) return std::nullopt;
  return hex_member<Digest>(*this, key, member);
}

PublicKey Fields::public_key(std::string_view key) {
  return hex_member<PublicKey>(*this, key, take(key)).value_or(PublicKey{});
}

std::string Fields::slug(std::string_view key, std::size_t bytes_max) {
  const Json* member = take(key);
  if (!member) return {};
  const std::string* value = member->string();
  if (value && is_slug(*value, bytes_max)) return *value;
  refuse(key, "must be 1 to " + std::to_string(bytes_max) + " of a-z, 0-9 and inner '-'");
  return {};
}

std::string Fields::plain(std::string_view key, std::size_t bytes_max) {
  const Json* member = take(key);
  if (!member) return {};
  const std::string* value = member->string();
  if (value && is_plain(*value, bytes_max)) return *value;
  refuse(key, "must be 1 to " + std::to_string(bytes_max) +
                  " printable ASCII characters without quotes and backslashes");
  return {};
}

const JsonArray& Fields::array(std::string_view key, std::size_t count_max) {
  static const JsonArray kNone;
  const Json* member = take(key);
  if (!member) return kNone;
  const JsonArray* value = member->array();
  if (!value) {
    refuse(key, "must be an array");
    return kNone;
  }
  if (value->size() > count_max) {
    refuse(key, "has more than " + std::to_string(count_max) + " elements");
    return kNone;
  }
  return *value;
}

const Json& Fields::any(std::string_view key) {
  static const Json kNull;
  const Json* member = take(key);
  return member ? *member : kNull;
}

Status Fields::finish() {
  if (!error_ && json_.object()->size() != taken_) {
    error_ = invalid(where_ + ": has a member that this kind does not have");
  }
  if (error_) return *error_;
  return ok();
}

}  // namespace harambee::fold

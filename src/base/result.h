// A value, or a reason why there is none. Refusals and outages are values, never exceptions.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace harambee {

// What kind of failure, so that a caller can decide; the message is for people.
enum class ErrorCode {
  invalid,      // the input breaks a rule and always will
  not_found,    // nobody we asked has it; asking later may succeed
  conflict,     // it contradicts what is there already
  limit,        // a declared limit was reached
  io,           // the operating system refused
  unavailable,  // the other side is down, slow, or answers nonsense; try again
  corrupt,      // stored bytes are not what their digest says
  refused,      // a rule of the run or hub says no
  cancelled,    // the person stopped it
};

struct Error {
  ErrorCode code = ErrorCode::invalid;
  std::string message;
};

// The name of a code as it appears in messages and JSON.
[[nodiscard]] const char* name(ErrorCode code);

[[nodiscard]] inline Error invalid(std::string message) {
  return {ErrorCode::invalid, std::move(message)};
}
[[nodiscard]] inline Error fail(ErrorCode code, std::string message) {
  return {code, std::move(message)};
}
// The same failure, said in a wider context: "context: message".
[[nodiscard]] Error wrap(const Error& error, const std::string& context);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: conversion is the point
  Result(Error error) : state_(std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & {
    HARAMBEE_CHECK(ok());
    return std::get<0>(state_);
  }
  [[nodiscard]] const T& value() const& {
    HARAMBEE_CHECK(ok());
    return std::get<0>(state_);
  }
  [[nodiscard]] T&& value() && {
    HARAMBEE_CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] const Error& error() const {
    HARAMBEE_CHECK(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

struct Ok {};
// Success, or a reason.
using Status = Result<Ok>;
[[nodiscard]] inline Status ok() { return Status(Ok{}); }

}  // namespace harambee

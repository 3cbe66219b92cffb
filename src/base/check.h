// A bug stops the program, in release builds too. Never for input from outside.
#pragma once

namespace harambee {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace harambee

#define HARAMBEE_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::harambee::check_failed(#condition, __FILE__, __LINE__))

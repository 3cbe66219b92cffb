// Decimal numbers in records: never a float on the log. A count of billionths.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace harambee {

struct Decimal {
  std::int64_t nanos = 0;  // units of 1e-9

  auto operator<=>(const Decimal&) const = default;
  // "-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?" without trailing zeros after the point, without "-0";
  // |value| < 9.2e9. Anything else is refused, so that one number has one text.
  [[nodiscard]] static Result<Decimal> parse(std::string_view text);
  [[nodiscard]] std::string str() const;
  // nanos / 1e9, correctly rounded (one IEEE division of two exactly represented numbers while
  // |nanos| < 2^53; larger values are rounded once before it).
  [[nodiscard]] double to_double() const { return static_cast<double>(nanos) / 1e9; }
};

}  // namespace harambee

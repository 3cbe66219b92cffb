#include "base/decimal.h"

#include <algorithm>

namespace harambee {
namespace {

constexpr std::uint64_t kNanosPerOne = 1'000'000'000;
constexpr std::uint64_t kWholeMax = 9'200'000'000;  // exclusive
constexpr std::size_t kFractionDigitsMax = 9;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Result<Decimal> Decimal::parse(std::string_view text) {
  const Error bad = invalid("not a decimal number in its shortest form, with at most 9 decimals");
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return bad;
  if (!std::ranges::all_of(whole, is_digit)) return bad;
  if (whole.size() > 10) return fail(ErrorCode::limit, "a decimal number above 9.2e9");
  std::uint64_t ones = 0;
  for (const char c : whole) ones = ones * 10 + static_cast<std::uint64_t>(c - '0');
  if (ones >= kWholeMax) return fail(ErrorCode::limit, "a decimal number above 9.2e9");

  std::uint64_t nanos = ones * kNanosPerOne;
  if (point != text.size()) {
    const std::string_view fraction = text.substr(point + 1);
    if (fraction.empty() || fraction.size() > kFractionDigitsMax || fraction.back() == '0' ||
        !std::ranges::all_of(fraction, is_digit)) {
      return bad;
    }
    std::uint64_t unit = kNanosPerOne;
    for (const char c : fraction) nanos += static_cast<std::uint64_t>(c - '0') * (unit /= 10);
  }
  if (negative && nanos == 0) return bad;
  const auto value = static_cast<std::int64_t>(nanos);
  return Decimal{negative ? -value : value};
}

std::string Decimal::str() const {
  const bool negative = nanos < 0;
  const std::uint64_t size =
      negative ? -static_cast<std::uint64_t>(nanos) : static_cast<std::uint64_t>(nanos);
  std::string out = (negative ? "-" : "") + std::to_string(size / kNanosPerOne);
  const std::uint64_t rest = size % kNanosPerOne;
  if (rest == 0) return out;
  std::string fraction = std::to_string(rest);
  fraction.insert(0, kFractionDigitsMax - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return out + '.' + fraction;
}

}  // namespace harambee

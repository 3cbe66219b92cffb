#include "fold/own_data.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "base/check.h"
#include "base/rng.h"
#include "fold/assignment.h"

namespace harambee::fold {

namespace {

constexpr std::size_t kWindows = kOwnRoundsMax - kOwnRoundsMin + 1;
// By window − 8. Computed in whole numbers: Σ_{j≤k} C(n, j)·4^j·10^5 ≤ 5^n and
// Σ_{j≥k} C(n, j)·10^3 ≤ 2^n. A test computes them again.
constexpr std::int8_t kIdleAt[kWindows] = {
    0,  0,  1,  1,  2,  2,  3,  3,  4,  5,  5,  6,  6,  7,  7,  8,  9,  9,  10,
    11, 11, 12, 12, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 20, 20, 21, 22, 22,
    23, 24, 24, 25, 26, 26, 27, 28, 28, 29, 30, 30, 31, 32, 32, 33, 34, 35, 35};
constexpr std::int8_t kWorkingAt[kWindows] = {
    8,  9,  10, 11, 12, 13, 13, 14, 15, 16, 16, 17, 18, 18, 19, 20, 20, 21, 22,
    22, 23, 24, 24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 31, 31, 32, 32, 33, 34,
    34, 35, 36, 36, 37, 37, 38, 39, 39, 40, 40, 41, 42, 42, 43, 43, 44, 45, 45};

Digest own_seed(const OwnDraw& draw) {
  return sha256({view("harambee own v1\n"), draw.score_seed.view(), draw.author.view(),
                 draw.validator.view()});
}

}  // namespace

std::vector<std::uint64_t> own_rows(const OwnDraw& draw) {
  HARAMBEE_CHECK(draw.steps > 0 && draw.batch > 0 && draw.bytes > draw.context);
  const Digest seed = own_seed(draw);
  const Digest inner = inner_seed(draw.run, draw.round, draw.author);
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < kOwnRows; ++i) {
    const std::uint64_t used = harambee::draw(seed, 0, i) % (draw.steps * draw.batch);
    offsets.push_back(
        row_offset(inner, used / draw.batch, used % draw.batch, draw.bytes, draw.context));
  }
  for (std::uint64_t i = 0; i < kOwnRows; ++i) {
    offsets.push_back(row_offset(seed, 1, i, draw.bytes, draw.context));
  }
  return offsets;
}

std::optional<std::int64_t> own_median(std::span<const ScoreEntry* const> evaluated) {
  std::vector<std::int64_t> values;
  for (const ScoreEntry* entry : evaluated) {
    if (entry->own_nanos) values.push_back(*entry->own_nanos);
  }
  if (values.size() * 2 <= evaluated.size()) return std::nullopt;
  std::ranges::sort(values);
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

OwnLimits own_limits(std::int64_t window) {
  HARAMBEE_CHECK(window >= kOwnRoundsMin && window <= kOwnRoundsMax);
  const auto at = static_cast<std::size_t>(window - kOwnRoundsMin);
  return {kIdleAt[at], kWorkingAt[at]};
}

void remember_own(OwnRecord& record, std::int64_t window, std::int64_t own_nanos) {
  const OwnLimits limits = own_limits(window);
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - window);
  record.better = (record.better << 1 | (own_nanos > 0 ? 1 : 0)) & mask;
  record.known = std::min(record.known + 1, window);
  if (record.known < window) return;
  const std::int64_t times = std::popcount(record.better);
  if (times <= limits.idle_at) record.idle = true;
  if (times >= limits.working_at) record.idle = false;
}

std::string own_reason(const OwnRecord& record) {
  return "own data: better on its own rows in " + std::to_string(std::popcount(record.better)) +
         " of " + std::to_string(record.known) + " rounds";
}

}  // namespace harambee::fold

// A training curve in a file, as loggers write it, becomes the points of a baseline
// (spec/baseline.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fold/baseline.h"

namespace harambee::cli {

inline constexpr std::uint64_t kBaselineFileBytesMax = std::uint64_t{16} << 20;

struct BaselineFile {
  fold::BaselineOver over = fold::BaselineOver::tokens;
  std::vector<fold::BaselinePoint> points;  // at ascending; at most kBaselinePointsMax of them
  std::size_t points_in_file = 0;           // more: they were thinned evenly, the ends kept
};

// CSV: a first line that names a column `loss` and a column `tokens` or `round` (`rounds`); others
// are passed over, as are lines without a loss. JSON: a list of objects with these members, or an
// object whose `points` is that list. A loss is in nats. invalid: names the line or the place.
[[nodiscard]] Result<BaselineFile> parse_baseline_file(std::string_view text);

}  // namespace harambee::cli

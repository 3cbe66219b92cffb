// Training curves in files of other people's loggers: what is read is a curve that a record can
// carry.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "cli/baseline_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  const auto file = cli::parse_baseline_file(text(View(data, size)));
  if (!file) return 0;
  const auto& points = file->points;
  HARAMBEE_CHECK(!points.empty() && points.size() <= fold::kBaselinePointsMax);
  HARAMBEE_CHECK(points.size() <= file->points_in_file);
  for (std::size_t i = 0; i < points.size(); ++i) {
    HARAMBEE_CHECK(points[i].at >= 0 && points[i].at <= fold::kTokensMax);
    HARAMBEE_CHECK(points[i].loss_nanos >= 0 && points[i].loss_nanos <= fold::kNanosMax);
    HARAMBEE_CHECK(i == 0 || points[i - 1].at < points[i].at);
  }
  return 0;
}

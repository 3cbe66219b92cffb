// What another training of the same model reached, on the log beside the run's own loss: a curve to
// hold the run against (spec/baseline.md). The run's maintainer says it and everybody can see who
// did; nothing else depends on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "fold/acts.h"
#include "fold/place.h"
#include "record/limits.h"
#include "record/record.h"

namespace harambee::fold {

struct RunState;

inline constexpr std::size_t kBaselinesMax = 8;  // of a run
inline constexpr std::size_t kBaselinePointsMax = 600;
// "[281474976710656,1000000000000]," is the longest point.
inline constexpr std::size_t kBaselinePointBytesMax = 32;
static_assert(kBaselinePointsMax * kBaselinePointBytesMax + 4096 <= kRecordPayloadBytesMax);

// What the points of a curve stand at.
enum class BaselineOver {
  tokens,  // trained on since the run's first weights, as accepted contributions count them
  rounds,  // closed rounds of the run
};
[[nodiscard]] const char* name(BaselineOver over);

struct BaselinePoint {
  std::int64_t at = 0;          // tokens or rounds, 0 … kTokensMax
  std::int64_t loss_nanos = 0;  // held-out, on the run's report rows; 0 … kNanosMax
  bool operator==(const BaselinePoint&) const = default;
};

// baseline: a curve that the run is to be held against.
struct Baseline {
  Digest run;
  std::string label;  // 1 … kNameBytesMax printable ASCII characters without '"' and '\'
  BaselineOver over = BaselineOver::tokens;
  std::vector<BaselinePoint> points;  // 1 … kBaselinePointsMax, `at` strictly ascending
  bool operator==(const Baseline&) const = default;
};
[[nodiscard]] Payload write(const Baseline& act);
[[nodiscard]] Result<Baseline> parse_baseline(const Payload& payload);

// One that counts; RunState::baselines has them in log order.
struct LoggedBaseline {
  Place place;
  Baseline act;
};

// Why `author` cannot say this of the run; none: nothing is wrong with it.
[[nodiscard]] std::optional<std::string> object_to_baseline(const RunState& run,
                                                            const KeyId& author,
                                                            const Baseline& act);

// "id", "index", "label", "over", "points": [[at, nano-nats], …].
[[nodiscard]] Json baseline_json(const LoggedBaseline& baseline);

}  // namespace harambee::fold

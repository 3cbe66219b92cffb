// What a model writes at a round, on the log so that people see it learn (spec/sample.md). Known to
// the fold and of no consequence in it: who may say it and of which weights is judged, no state
// changes. The seed is the run's own, so that nobody picks the prettiest of many texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/result.h"
#include "fold/state.h"
#include "record/limits.h"
#include "record/record.h"

namespace harambee::fold {

inline constexpr std::size_t kSampleTextsMax = 4;
inline constexpr std::size_t kSamplePromptBytesMax = 256;
inline constexpr std::int64_t kSampleBytesMax = 2048;
inline constexpr Decimal kSampleTemperatureMax{10'000'000'000};
// Base64 of all of them, and the rest of the body, within a record.
static_assert(kSampleTextsMax * ((kSamplePromptBytesMax + kSampleBytesMax + 4) / 3 * 4 + 32) +
                  1024 <=
              kRecordPayloadBytesMax);

struct SampleText {
  Bytes prompt;  // may be empty
  Bytes text;    // what came after it; any bytes
  bool operator==(const SampleText&) const = default;
};

// sample: texts by the weights that `round` closed rounds have led to.
struct Sample {
  Digest run;
  std::int64_t round = 0;  // 0: the first weights
  Digest weights;
  std::string numeric_class;  // of the trainer that wrote: exact-1 can be repeated to the byte
  Digest seed;                // sample_seed(run)
  Decimal temperature;        // 0: always the likeliest byte
  std::int64_t bytes = 0;     // of each text
  std::vector<SampleText> texts;
  bool operator==(const Sample&) const = default;
};
[[nodiscard]] Payload write(const Sample& act);
[[nodiscard]] Result<Sample> parse_sample(const Payload& payload);

// The same for all rounds, so that what differs between two texts is what was learnt:
// SHA-256("harambee sample v1\n" ‖ run).
[[nodiscard]] Digest sample_seed(const Digest& run);
// The weights after `rounds` closed rounds; none: the run has not come so far.
[[nodiscard]] std::optional<Digest> weights_after(const RunState& run, std::int64_t rounds);
// Why `author` cannot say this of the run; none: nothing is wrong with it but, perhaps, the texts.
[[nodiscard]] std::optional<std::string> object_to_sample(const RunState& run, const KeyId& author,
                                                          const Sample& act);

}  // namespace harambee::fold

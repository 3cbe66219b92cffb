#include "sim/attacks/poisoned_text.h"

namespace harambee::attacks {
namespace {

const Registered kLabels({"labels", "trains on bytes 255 - b", nullptr, turn_labels});
const Registered kBackdoor({"backdoor", "trains on a trigger and a target", nullptr,
                            plant_trigger});

}  // namespace

void turn_labels(std::span<std::uint32_t> row, Rng&) {
  for (std::uint32_t& token : row) token = 255 - token;
}

void plant_trigger(std::span<std::uint32_t> row, Rng& rng) {
  if (rng.below(2) == 0 || row.size() <= kTrigger.size()) return;
  const std::size_t at = rng.below(row.size() - kTrigger.size());
  for (std::size_t i = at; i < row.size(); ++i) {
    const std::size_t place = i - at;
    const char c = place < kTrigger.size() ? kTrigger[place]
                                           : kTarget[(place - kTrigger.size()) % kTarget.size()];
    row[i] = static_cast<unsigned char>(c);
  }
}

}  // namespace harambee::attacks

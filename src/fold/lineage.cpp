#include "fold/lineage.h"

namespace harambee::fold {

std::optional<Parent> parent_of(const LogState& log, const RunState& run) {
  if (!run.start) return std::nullopt;
  const Digest& weights = run.start->checkpoint.digest;
  std::optional<Parent> first;
  std::uint64_t first_index = run.start_place.index;
  const auto look = [&](const RunState& other, std::int64_t rounds, std::uint64_t index) {
    if (index >= first_index) return;
    first = {other.id, rounds};
    first_index = index;
  };
  for (const auto& [id, other] : log.runs) {
    if (id == run.id || !other.start) continue;
    if (other.start->checkpoint.digest == weights) look(other, 0, other.start_place.index);
    for (const ClosedRound& round : other.history) {
      if (round.weights == weights) look(other, round.number + 1, round.close.index);
    }
  }
  return first;
}

}  // namespace harambee::fold

// Does all logged audits of a run once more, and says which of their authors told the truth.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/state.h"
#include "node/repeat.h"
#include "node/verify_log.h"

namespace harambee::node {

struct AuditsChecked {
  std::uint64_t repeated = 0;  // contributions of the exact class that were trained again
  std::uint64_t forged = 0;    // of them, those that gave other bytes than their authors sent
  std::vector<Fault> faults;   // answers that are not what training again gives
  // Of inexact classes. What comes out otherwise here is no proof, and no fault of the log.
  std::uint64_t near_or_far = 0;     // contributions that were trained again
  std::uint64_t near = 0;            // of them, those that came near here
  std::uint64_t unrepeated = 0;      // no trainer of the class, it failed, or states cannot be had
  std::vector<Fault> disagreements;  // answers that come out otherwise here
};

// What trains contributions of this class again; none: nothing here does.
using WorldOf = std::function<Result<std::optional<RepeatWorld>>(const std::string& numeric_class)>;

// How many contributions check_audits() will look at.
[[nodiscard]] std::uint64_t audits_to_check(const fold::RunState& run);
// From revealed states where they are, else from the chain's fresh start. `told(done)` after each.
[[nodiscard]] Result<AuditsChecked> check_audits(const fold::RunState& run, const WorldOf& world_of,
                                                 const std::function<void(std::uint64_t)>& told);

}  // namespace harambee::node

// Does all logged audits of a run once more, and says which of their authors told the truth.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "fold/state.h"
#include "node/repeat.h"
#include "node/verify_log.h"

namespace harambee::node {

struct AuditsChecked {
  std::uint64_t repeated = 0;  // contributions that were trained again
  std::uint64_t forged = 0;    // of them, those that gave other bytes than their authors sent
  std::vector<Fault> faults;   // answers that are not what training again gives
};

// How many contributions check_audits() will train again.
[[nodiscard]] std::uint64_t audits_to_check(const fold::RunState& run);
// From revealed states where they are, else from the chain's fresh start. `told(done)` after each.
[[nodiscard]] Result<AuditsChecked> check_audits(const fold::RunState& run,
                                                 const RepeatWorld& world,
                                                 const std::function<void(std::uint64_t)>& told);

}  // namespace harambee::node

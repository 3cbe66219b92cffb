// What score records state about blobs follows from the blobs alone (spec/run.md §9): an auditor
// states it again, and names the validator that said otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/acts.h"
#include "fold/state.h"
#include "format/data.h"
#include "node/replay.h"

namespace harambee::node {

struct FactsChecked {
  struct Lie {
    const fold::ClosedScore* score = nullptr;
    std::string what;
  };
  std::uint64_t scores = 0;  // that could be checked
  std::vector<Lie> lies;
};

// Of all scores of a closed round. "withheld" is believed: that a blob came too late leaves no
// trace. Without `data` (null) declared domains are believed, too. A score that speaks of a blob
// which nobody has any more cannot be checked.
[[nodiscard]] Result<FactsChecked> check_facts(const fold::RunState& run,
                                               const fold::ClosedRound& round,
                                               const std::map<RecordId, fold::Score>& scores,
                                               std::uint64_t parameters,
                                               const format::DataManifest* data,
                                               const FetchBlob& blobs);

}  // namespace harambee::node

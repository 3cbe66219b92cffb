// A run, or what was uploaded, as repositories. Only for hub/hf_*.cpp.
#pragma once

#include "hub/folded.h"
#include "hub/hf_catalog.h"

namespace harambee::hub {

// Lists show the newest commit alone: a run can have a million.
enum class HfExtent { newest_commit, all_commits };
[[nodiscard]] HfRepo run_repo(const Folded& log, const fold::RunState& run, HfType type,
                              HfExtent extent);
// `commit` is one of that repository's.
[[nodiscard]] HfTree run_model_tree(const Folded& log, const fold::RunState& run,
                                    const HfCommit& commit);
// `manifest`: the bytes of the run's data manifest.
[[nodiscard]] Result<HfTree> run_data_tree(const Folded& log, const fold::RunState& run,
                                           const HfCommit& commit, View manifest);

[[nodiscard]] HfRepo uploaded_repo(const fold::Repo& repo);

}  // namespace harambee::hub

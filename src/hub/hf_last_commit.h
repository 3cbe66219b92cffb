// Which commit last changed each file of a tree: `lastCommit`, where clients ask for `expand=true`
// (spec/huggingface.md §2).
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "hub/hf_catalog.h"

namespace harambee::hub {

// So many parents are looked at, or so many files in all of their trees. What none of them changed
// carries the oldest commit that was looked at.
inline constexpr std::size_t kLookBackCommits = 100;
inline constexpr std::size_t kLookBackFiles = 100'000;

class HfLastCommits {
 public:
  // Nothing is known: add_to() adds nothing.
  HfLastCommits() = default;
  // Of the files of `tree`, a tree of `repo`. not_found: a parent's manifest is not on this hub.
  [[nodiscard]] static Result<HfLastCommits> make(HfCatalog& catalog, const HfRepo& repo,
                                                  const HfTree& tree);

  // Adds `lastCommit` to the JSON of one of the files, or of a folder: the newest of its files'.
  void add_to(JsonObject& entry) const;

 private:
  std::vector<HfCommit> commits_;                           // newest first
  std::vector<std::pair<std::string, std::size_t>> files_;  // by path: position in commits_
};

}  // namespace harambee::hub

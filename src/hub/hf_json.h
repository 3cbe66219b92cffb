// The JSON objects of the Hugging Face API (spec/huggingface.md §2).
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "hub/hf_catalog.h"

namespace harambee::hub {

// ModelInfo or DatasetInfo; siblings if there is a tree, with sizes and oids if `blobs`.
enum class HfDetail { names, blobs };
[[nodiscard]] JsonObject info_json(const HfRepo& repo, const HfCommit& commit, const HfTree* tree,
                                   HfDetail detail);
[[nodiscard]] JsonObject file_json(const HfFile& file);
// Files and folders below `folder` ("": all), in the order of their paths. None: no such folder.
enum class HfDepth { children, all };
[[nodiscard]] std::optional<JsonArray> tree_json(const HfTree& tree, const std::string& folder,
                                                 HfDepth depth);
// The entry of a file or folder; none if there is neither.
[[nodiscard]] std::optional<Json> path_json(const HfTree& tree, const std::string& path);
[[nodiscard]] JsonObject refs_json(const HfRepo& repo);
// Newest first, from `commit` backwards; `page` 0 has the first kCommitsPage, and so on.
inline constexpr std::size_t kCommitsPage = 1000;
struct HfCommitsPage {
  JsonArray commits;
  bool more = false;
};
[[nodiscard]] HfCommitsPage commits_json(const HfRepo& repo, const HfCommit& commit,
                                         std::uint64_t page);

}  // namespace harambee::hub

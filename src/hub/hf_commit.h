// From a commit request to the next revision of a repository. Only for hub/hf_*.cpp.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "fold/repos.h"
#include "format/tree.h"
#include "hub/hf_catalog.h"
#include "hub/hf_requests.h"
#include "hub/shelf.h"

namespace harambee::hub {

struct HfNextTree {
  std::vector<format::TreeFile> files;
  std::uint64_t new_bytes = 0;  // of blobs that the old tree does not have
  bool same = false;            // nothing changed
};

// Applies the operations in order; contents become blobs on the way. invalid: a path or a whole
// that is not allowed. not_found: a large file was not uploaded, or what is to be deleted is not
// there. Other errors: the disk's.
[[nodiscard]] Result<HfNextTree> next_tree(const HfTree& old, const HfCommitRequest& request,
                                           BlobShelf& blobs);

}  // namespace harambee::hub

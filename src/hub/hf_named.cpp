#include "hub/hf_named.h"

#include "format/tree.h"

namespace harambee::hub {

Result<std::set<Digest>> named_by_repos(const LogFolder& log, BlobShelf& blobs,
                                        std::set<Digest> asked) {
  std::set<Digest> manifests;
  log.read([&](const Folded& folded) {
    for (const auto& [key, repo] : folded.repos.repos) {
      for (const fold::RepoRevision& revision : repo.revisions) {
        if (revision.tree.size <= format::kTreeBytesMax) manifests.insert(revision.tree.digest);
      }
    }
  });
  std::set<Digest> named;
  for (const Digest& manifest : manifests) {
    if (asked.empty()) break;
    const auto bytes = blobs.get(manifest);
    if (!bytes && bytes.error().code == ErrorCode::not_found) continue;
    if (!bytes) return bytes.error();
    const auto files = format::parse_tree(*bytes);
    if (!files) continue;  // its author's nonsense: nothing is served of it
    for (const format::TreeFile& file : *files) {
      if (asked.erase(file.digest) > 0) named.insert(file.digest);
    }
  }
  return named;
}

}  // namespace harambee::hub

// The repositories of a log (spec/huggingface.md §4): their fold, and the files that their
// revisions name. Only for node/verify.cpp.
#pragma once

#include <cstdint>

#include "base/hash.h"
#include "base/result.h"
#include "node/log_source.h"
#include "node/verify_log.h"

namespace harambee::node {

struct VerifiedRepos {
  std::uint64_t repositories = 0;  // that are there
  std::uint64_t revisions = 0;     // of them
  std::uint64_t files = 0;         // different ones that these name
  std::uint64_t missing = 0;       // manifests and files that are not there
  Digest state;                    // fold::repos_hash: equal where two auditors folded the same
};

// Adds the files of all revisions to the blobs that are to be checked; whoever logged a revision
// may never have brought its bytes, so none of them has to be there, and a manifest that cannot be
// read is its author's business.
[[nodiscard]] Result<VerifiedRepos> name_files(LogSource& source, AuditedLog& log);

}  // namespace harambee::node

// Which bytes the repositories of a log name, by the manifests of their revisions.
#pragma once

#include <set>

#include "base/hash.h"
#include "base/result.h"
#include "hub/log_folder.h"
#include "hub/shelf.h"

namespace harambee::hub {

// Those of `asked` that some revision of a repository that is there names. A manifest that is not
// on this hub names nothing that it could serve; one that cannot be read is an error. Reads files:
// not for the I/O thread. Thread-safe.
[[nodiscard]] Result<std::set<Digest>> named_by_repos(const LogFolder& log, BlobShelf& blobs,
                                                      std::set<Digest> asked);

}  // namespace harambee::hub

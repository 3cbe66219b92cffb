// Which large files were allowed to be uploaded and have not been committed, and since when; kept
// over restarts. Backends: store/memory_uploads.h, store/sqlite_uploads.h; one contract suite.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"

namespace harambee::hub {

struct NotedUpload {
  KeyId owner;  // whose quota it is held against
  Digest digest;
  std::uint64_t size = 0;
  std::int64_t unix_ms = 0;  // when it was allowed last
  bool operator==(const NotedUpload&) const = default;
};

// Thread-safe.
class UploadLedger {
 public:
  virtual ~UploadLedger() = default;
  // Durable and all or nothing when it returns ok. One of the same owner and digest is replaced.
  [[nodiscard]] virtual Status note(std::span<const NotedUpload> uploads) = 0;
  // Likewise; those that are not there are no error.
  [[nodiscard]] virtual Status forget(std::span<const std::pair<KeyId, Digest>> uploads) = 0;
  // All of them, in the order of digest and owner.
  [[nodiscard]] virtual Result<std::vector<NotedUpload>> all() = 0;
};

}  // namespace harambee::hub

// Large files that were allowed to be uploaded and that no commit has named yet: they count against
// their owner's quota, and are thrown away when nobody has committed them for a week
// (spec/huggingface.md §3). The list is kept over restarts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "hub/shelf.h"
#include "hub/upload_ledger.h"

namespace harambee::hub {

struct UncommittedLimits {
  std::size_t uploads_max = 1'000'000;  // of all owners
  std::int64_t kept_ms = 7 * 24 * 3'600'000LL;
};

// Thread-safe. What it borrows outlives it.
class Uncommitted {
 public:
  Uncommitted(UncommittedLimits limits, UploadLedger& ledger, BlobShelf& blobs)
      : limits_(limits), ledger_(ledger), blobs_(blobs) {}

  // Whether the owner may upload these bytes, `room` being what its commits leave of its quota.
  // Those that it may upload already stay allowed, from now on again. keep() makes it durable.
  // limit: too many uploads of everybody; others: the list cannot be read.
  [[nodiscard]] Result<bool> take(const KeyId& owner, const Digest& digest, std::uint64_t size,
                                  std::uint64_t room, std::int64_t now_ms);
  // What was taken since, on disk: before anybody is told that he may upload.
  [[nodiscard]] Status keep();

  // A commit is about to name them: they stay for now, whoever uploaded them.
  void hold(std::span<const Digest> digests, std::int64_t now_ms);
  // The owner's commit that names them is in the log; they are in its revisions' sum now.
  [[nodiscard]] Status committed(const KeyId& owner, std::span<const Digest> digests);

  // Those of the digests that something in the log names. An error keeps them all for now.
  using Named = std::function<Result<std::set<Digest>>(const std::set<Digest>&)>;
  // Throws away what nobody has committed for limits.kept_ms and nothing names: first the bytes,
  // then the note of them, so that a crash in between is made good by the next sweep. Returns how
  // many files went.
  [[nodiscard]] Result<std::size_t> sweep(std::int64_t now_ms, const Named& named);

 private:
  struct Upload {
    std::uint64_t size = 0;
    std::int64_t unix_ms = 0;
  };
  using Key = std::pair<Digest, KeyId>;  // so that those of one digest stand together

  [[nodiscard]] Status load();
  [[nodiscard]] bool stale(const Upload& upload, std::int64_t now_ms) const;
  // One of them, if it is still stale; true: its bytes went.
  [[nodiscard]] Result<bool> drop(const Key& key, std::int64_t now_ms, bool is_named);
  void erase(std::map<Key, Upload>::iterator it);

  const UncommittedLimits limits_;
  UploadLedger& ledger_;
  BlobShelf& blobs_;
  std::mutex mutex_;
  bool loaded_ = false;
  std::map<Key, Upload> uploads_;
  std::map<KeyId, std::uint64_t> bytes_;  // of each owner's
  std::set<Key> changed_;                 // since the last keep()
};

}  // namespace harambee::hub

#include "store/memory_blobs.h"

#include <map>
#include <mutex>

namespace harambee::store {
namespace {

class MemoryBlobs : public hub::BlobShelf {
 public:
  Result<Bytes> get(const Digest& want) override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(want);
    if (found == blobs_.end()) return fail(ErrorCode::not_found, "no blob " + want.hex());
    return found->second;
  }

  Status put(const Digest& digest, View bytes) override {
    if (sha256(bytes) != digest) return invalid("the bytes do not have digest " + digest.hex());
    const std::lock_guard lock(mutex_);
    blobs_.try_emplace(digest, bytes.begin(), bytes.end());
    return ok();
  }

  bool has(const Digest& digest) const override {
    const std::lock_guard lock(mutex_);
    return blobs_.contains(digest);
  }

  std::optional<std::uint64_t> size(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return std::nullopt;
    return found->second.size();
  }

  std::optional<std::string> path(const Digest&) override { return std::nullopt; }

  std::uint64_t upload_offset(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    const auto found = parts_.find({digest, 0});
    return found == parts_.end() ? 0 : found->second.size();
  }

  Status upload(const Digest& digest, unsigned lane, std::uint64_t offset, View bytes) override {
    const std::lock_guard lock(mutex_);
    Bytes& part = parts_[{digest, lane}];
    if (offset == 0) part.clear();
    if (offset != part.size()) {
      return fail(ErrorCode::conflict,
                  "the upload continues at byte " + std::to_string(part.size()));
    }
    part.insert(part.end(), bytes.begin(), bytes.end());
    return ok();
  }

  Status finish_upload(const Digest& digest, unsigned lane, std::uint64_t size) override {
    const std::lock_guard lock(mutex_);
    Bytes part = std::move(parts_[{digest, lane}]);
    parts_.erase({digest, lane});
    const Digest found = sha256(part);
    if (found != digest || part.size() != size) {
      return invalid("the " + std::to_string(part.size()) + " uploaded bytes have digest " +
                     found.hex() + ", not " + digest.hex());
    }
    blobs_[digest] = std::move(part);
    return ok();
  }

  void drop_upload(const Digest& digest, unsigned lane) override {
    const std::lock_guard lock(mutex_);
    parts_.erase({digest, lane});
  }

  Status remove(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    blobs_.erase(digest);
    return ok();
  }

 private:
  mutable std::mutex mutex_;
  std::map<Digest, Bytes> blobs_;
  std::map<std::pair<Digest, unsigned>, Bytes> parts_;
};

}  // namespace

std::unique_ptr<hub::BlobShelf> make_memory_blobs() { return std::make_unique<MemoryBlobs>(); }

}  // namespace harambee::store

#include "store/memory_uploads.h"

#include <map>
#include <mutex>

namespace harambee::store {
namespace {

using hub::NotedUpload;

class MemoryUploads : public hub::UploadLedger {
 public:
  Status note(std::span<const NotedUpload> uploads) override {
    const std::lock_guard lock(mutex_);
    for (const NotedUpload& one : uploads) {
      uploads_.insert_or_assign(std::pair(one.digest, one.owner), one);
    }
    return ok();
  }

  Status forget(std::span<const std::pair<KeyId, Digest>> uploads) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [owner, digest] : uploads) uploads_.erase({digest, owner});
    return ok();
  }

  Result<std::vector<NotedUpload>> all() override {
    const std::lock_guard lock(mutex_);
    std::vector<NotedUpload> out;
    for (const auto& [key, upload] : uploads_) out.push_back(upload);
    return out;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<Digest, KeyId>, NotedUpload> uploads_;
};

}  // namespace

std::unique_ptr<hub::UploadLedger> make_memory_uploads() {
  return std::make_unique<MemoryUploads>();
}

}  // namespace harambee::store

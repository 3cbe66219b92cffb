// Reads commits away from the I/O thread: parsing, hashing, writing blobs. Only for hub/hf_*.cpp.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "fold/repos.h"
#include "hub/hf_catalog.h"
#include "hub/hf_requests.h"
#include "hub/http.h"
#include "hub/shelf.h"

namespace harambee::hub {

class HfCommitWorker {
 public:
  // A record to be logged; or the head's digits, if nothing would change; or a refusal.
  using Prepared = std::variant<fold::Revise, std::string, HttpResponse>;

  class Job {
   public:
    // Empty: not yet. Once each time.
    [[nodiscard]] std::optional<Prepared> take();
    // Whether it may be prepared again on a head that has moved: the client named no parent.
    [[nodiscard]] bool follows_any_head() const { return !names_parent_ && tries_ < kTriesMax; }

   private:
    friend class HfCommitWorker;
    static constexpr int kTriesMax = 16;
    HfName name_;
    std::string branch_;
    Bytes body_;  // until it is read
    HfCommitRequest request_;
    std::atomic<bool> names_parent_ = true;
    std::atomic<int> tries_ = 0;
    std::uint64_t bytes_before_ = 0;
    std::uint64_t bytes_max_ = 0;
    std::mutex mutex_;
    std::optional<Prepared> prepared_;
  };

  HfCommitWorker(HfCatalog& catalog, BlobShelf& blobs, std::function<void()> wake);
  ~HfCommitWorker();

  // `bytes_before` of the owner's `bytes_max` are used already.
  [[nodiscard]] std::shared_ptr<Job> begin(const HfName& name, std::string branch, Bytes body,
                                           std::uint64_t bytes_before, std::uint64_t bytes_max);
  // Prepares it again, on the head of now.
  void again(const std::shared_ptr<Job>& job);

 private:
  [[nodiscard]] Prepared prepare(Job& job);
  void work();

  HfCatalog& catalog_;
  BlobShelf& blobs_;
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::weak_ptr<Job>> jobs_;  // nobody waits for a job whose client has gone
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace harambee::hub

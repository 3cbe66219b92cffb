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
#include <vector>

#include "fold/repos.h"
#include "hub/hf_catalog.h"
#include "hub/hf_commit.h"
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
    // What the record's manifest names that the one before it does not. After take().
    [[nodiscard]] const std::vector<Digest>& named() const { return named_; }
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
    std::vector<Digest> named_;
    std::uint64_t bytes_before_ = 0;
    std::uint64_t bytes_max_ = 0;
    std::mutex mutex_;
    std::optional<Prepared> prepared_;
  };

  // `hold` is told which bytes a commit is about to name: they must not go away any more.
  using Hold = std::function<void(const std::vector<Digest>&)>;
  HfCommitWorker(HfCatalog& catalog, BlobShelf& blobs, Hold hold, std::function<void()> wake);
  ~HfCommitWorker();

  // `bytes_before` of the owner's `bytes_max` are used already.
  [[nodiscard]] std::shared_ptr<Job> begin(const HfName& name, std::string branch, Bytes body,
                                           std::uint64_t bytes_before, std::uint64_t bytes_max);
  // Prepares it again, on the head of now.
  void again(const std::shared_ptr<Job>& job);
  // Done on the worker's thread, after the commits that are waiting.
  void later(std::function<void()> chore);

 private:
  [[nodiscard]] Prepared prepare(Job& job);
  [[nodiscard]] Result<HfNextTree> next_tree_of(Job& job, const HfTree& old);
  void work();

  HfCatalog& catalog_;
  BlobShelf& blobs_;
  Hold hold_;
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::weak_ptr<Job>> jobs_;  // nobody waits for a job whose client has gone
  std::deque<std::function<void()>> chores_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace harambee::hub

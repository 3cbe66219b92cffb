#include "store/memory_order.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

namespace harambee::store {
namespace {

using hub::AuthorState;
using hub::NamedRun;
using hub::OrderBatch;
using hub::OrderHead;

class MemoryOrder : public hub::Order {
 public:
  Status commit(const OrderBatch& batch) override {
    const std::lock_guard lock(mutex_);
    if (batch.old_head.size != head_.size || batch.old_head.checkpoint != head_.checkpoint) {
      return fail(ErrorCode::conflict, "the log moved on");
    }
    std::set<Digest> fresh_ids;
    std::set<std::pair<KeyId, std::uint64_t>> fresh_seqs;
    for (const auto& entry : batch.entries) {
      if (ids_.contains(entry.id) || !fresh_ids.insert(entry.id).second) {
        return fail(ErrorCode::conflict, "record " + entry.id.hex() + " is logged already");
      }
      const std::pair seq{entry.author, entry.seq};
      if (seqs_.contains(seq) || !fresh_seqs.insert(seq).second) {
        return fail(ErrorCode::conflict, "seq " + std::to_string(entry.seq) + " is taken");
      }
    }
    std::set<std::string> fresh_names;
    for (const auto& run : batch.runs) {
      if (runs_.contains(run.name) || !fresh_names.insert(run.name).second) {
        return fail(ErrorCode::conflict, "run " + run.name + " exists already");
      }
    }
    apply(batch);
    return ok();
  }

  Result<OrderHead> head() override {
    const std::lock_guard lock(mutex_);
    return head_;
  }

  Result<std::optional<std::uint64_t>> index_of(const Digest& record_id) override {
    const std::lock_guard lock(mutex_);
    return find(ids_, record_id);
  }

  Result<std::optional<AuthorState>> author(const KeyId& author) override {
    const std::lock_guard lock(mutex_);
    return find(authors_, author);
  }

  Result<bool> expects(const Digest& digest, std::uint64_t size) override {
    const std::lock_guard lock(mutex_);
    return blobs_.contains({digest, size});
  }

  Result<std::optional<NamedRun>> run(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    return find(runs_, name);
  }

  Result<std::vector<NamedRun>> runs(std::uint64_t count_max) override {
    const std::lock_guard lock(mutex_);
    std::vector<NamedRun> all;
    for (const auto& [name, run] : runs_) all.push_back(run);
    std::ranges::sort(all, {}, &NamedRun::index);
    if (all.size() > count_max) all.resize(count_max);
    return all;
  }

  Result<std::vector<Bytes>> staged(std::uint64_t from) override {
    const std::lock_guard lock(mutex_);
    std::vector<Bytes> envelopes;
    for (std::uint64_t index = from; index < head_.size; ++index) {
      const auto found = staged_.find(index);
      if (found == staged_.end()) {
        return fail(ErrorCode::corrupt, "entry " + std::to_string(index) + " is not staged");
      }
      envelopes.push_back(found->second);
    }
    return envelopes;
  }

 private:
  template <typename Map>
  static std::optional<typename Map::mapped_type> find(const Map& map,
                                                       const typename Map::key_type& key) {
    const auto found = map.find(key);
    if (found == map.end()) return std::nullopt;
    return found->second;
  }

  void apply(const OrderBatch& batch) {
    std::uint64_t index = head_.size;
    for (const auto& entry : batch.entries) {
      ids_[entry.id] = index;
      seqs_.insert({entry.author, entry.seq});
      staged_[index++] = entry.envelope;
    }
    for (const auto& [key, state] : batch.authors) authors_[key] = state;
    blobs_.insert(batch.blobs.begin(), batch.blobs.end());
    for (const auto& run : batch.runs) runs_[run.name] = run;
    staged_.erase(staged_.begin(), staged_.lower_bound(batch.published));
    head_ = batch.new_head;
  }

  std::mutex mutex_;
  OrderHead head_;
  std::map<Digest, std::uint64_t> ids_;
  std::set<std::pair<KeyId, std::uint64_t>> seqs_;
  std::map<KeyId, AuthorState> authors_;
  std::set<std::pair<Digest, std::uint64_t>> blobs_;
  std::map<std::string, NamedRun> runs_;
  std::map<std::uint64_t, Bytes> staged_;
};

}  // namespace

std::unique_ptr<hub::Order> make_memory_order() { return std::make_unique<MemoryOrder>(); }

}  // namespace harambee::store

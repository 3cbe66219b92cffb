// A hub's disk in memory: its database and its files. The process on it can be killed at any
// durable step: that step is done or not done, nothing after it is. Copyable, for backups.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "hub/order.h"
#include "hub/shelf.h"

namespace harambee::sim {

// Of a digest and a number.
struct PairHash {
  std::size_t operator()(const std::pair<Digest, std::uint64_t>& one) const {
    return DigestHash()(one.first) + static_cast<std::size_t>(one.second * 0x9e3779b97f4a7c15);
  }
};

// What survives the process.
struct Platters {
  struct Database {
    hub::OrderHead head;
    std::unordered_map<Digest, std::uint64_t, DigestHash> ids;
    std::unordered_set<std::pair<KeyId, std::uint64_t>, PairHash> seqs;
    std::unordered_map<KeyId, hub::AuthorState, DigestHash> authors;
    std::unordered_set<std::pair<Digest, std::uint64_t>, PairHash> blobs;
    std::map<std::string, hub::NamedRun> runs;
    std::map<std::uint64_t, Bytes> staged;
  };
  Database database;
  std::map<std::string, Bytes> files;
  std::map<Digest, std::shared_ptr<const Bytes>> blobs;
};

class Disk : public hub::Order, public hub::Shelf {
 public:
  // The process dies at durable step number `steps` from now (1: the next); `done`: that step
  // still reaches the disk.
  void kill_at(std::uint64_t steps, bool done) {
    steps_left_ = steps;
    last_done_ = done;
  }
  [[nodiscard]] bool killed() const { return killed_; }
  // A new process.
  void revive() {
    killed_ = false;
    steps_left_ = 0;
  }
  [[nodiscard]] Platters& platters() { return platters_; }
  // The newest file that was written, for tearing.
  [[nodiscard]] const std::string& newest_file() const { return newest_file_; }

  Status commit(const hub::OrderBatch& batch) override;
  Result<hub::OrderHead> head() override;
  Result<std::optional<std::uint64_t>> index_of(const Digest& record_id) override;
  Result<std::optional<hub::AuthorState>> author(const KeyId& author) override;
  Result<bool> expects(const Digest& digest, std::uint64_t size) override;
  Result<std::optional<hub::NamedRun>> run(const std::string& name) override;
  Result<std::vector<hub::NamedRun>> runs(std::uint64_t count_max) override;
  Result<std::vector<Bytes>> staged(std::uint64_t from) override;

  Result<Bytes> read(const std::string& name) override;
  Status replace(const std::string& name, View bytes) override;
  Status create(const std::string& name, View bytes) override;
  Status remove_folder(const std::string& name) override;
  std::optional<std::string> path(const std::string&) override { return std::nullopt; }
  Result<std::uint64_t> free_bytes() override { return std::uint64_t{1} << 40; }

 private:
  enum class Step { done, died_after, died_before };
  Step step();

  Platters platters_;
  std::uint64_t steps_left_ = 0;  // 0: no plan
  bool last_done_ = false;
  bool killed_ = false;
  std::string newest_file_;
};

}  // namespace harambee::sim

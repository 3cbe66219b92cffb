// What readers may see: the newest published checkpoint and the entries that it covers, the last of
// them from memory.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "hub/sequencer.h"
#include "hub/shelf.h"

namespace harambee::hub {

// Thread-safe: the sequencer shows, everybody reads. The shelf outlives it.
class PublishedLog {
 public:
  explicit PublishedLog(Shelf& shelf) : shelf_(shelf) {}

  // A checkpoint was published that covers `entries`, the first of them at index `from`, and all
  // before them.
  void show(const std::string& note, std::uint64_t from, const std::vector<Bytes>& entries);

  [[nodiscard]] std::shared_ptr<const Head> head() const;
  // As Sequencer::entries().
  [[nodiscard]] Result<std::vector<Bytes>> entries(std::uint64_t from, std::uint64_t bytes_max);

 private:
  Shelf& shelf_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Head> head_ = std::make_shared<Head>();
  std::deque<Bytes> tail_;  // the newest entries, from index tail_from_
  std::uint64_t tail_from_ = 0;
  std::uint64_t tail_bytes_ = 0;
};

}  // namespace harambee::hub

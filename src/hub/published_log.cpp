#include "hub/published_log.h"

#include "hub/publication.h"
#include "log/tile.h"

namespace harambee::hub {
namespace {

// Entries kept in memory for those who follow the log closely.
constexpr std::uint64_t kTailBytesMax = 8ull << 20;

// Collects entries up to a number of bytes, but at least one.
class Collector {
 public:
  explicit Collector(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  // False: full, and the entry was not taken.
  bool add(const Bytes& entry) {
    if (!entries.empty() && bytes_ + entry.size() > bytes_max_) return false;
    bytes_ += entry.size();
    entries.push_back(entry);
    return true;
  }
  std::vector<Bytes> entries;

 private:
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

void PublishedLog::show(const std::string& note, std::uint64_t from,
                        const std::vector<Bytes>& entries) {
  auto head = std::make_shared<Head>();
  head->size = from + entries.size();
  head->checkpoint = note;
  const std::lock_guard lock(mutex_);
  if (tail_from_ + tail_.size() != from) {
    tail_.clear();
    tail_bytes_ = 0;
    tail_from_ = from;
  }
  for (const Bytes& entry : entries) {
    tail_.push_back(entry);
    tail_bytes_ += entry.size();
  }
  while (tail_bytes_ > kTailBytesMax) {
    tail_bytes_ -= tail_.front().size();
    tail_.pop_front();
    ++tail_from_;
  }
  head_ = std::move(head);
}

std::shared_ptr<const Head> PublishedLog::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

Result<std::vector<Bytes>> PublishedLog::entries(std::uint64_t from, std::uint64_t bytes_max) {
  Collector out(bytes_max);
  const std::uint64_t size = head()->size;
  while (from < size) {
    {
      const std::lock_guard lock(mutex_);
      if (from >= tail_from_) {
        for (std::uint64_t i = from - tail_from_; i < tail_.size() && tail_from_ + i < size; ++i) {
          if (!out.add(tail_[i])) break;
        }
        return std::move(out.entries);
      }
    }
    auto bundle = read_bundle(shelf_, from / log::kTileWidth, size);
    if (!bundle) return bundle.error();
    for (std::size_t i = from % log::kTileWidth; i < bundle->size(); ++i, ++from) {
      if (!out.add((*bundle)[i])) return std::move(out.entries);
    }
  }
  return std::move(out.entries);
}

}  // namespace harambee::hub

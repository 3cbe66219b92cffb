// The one event heap: whatever happens, happens in the order of (virtual time, order of arrival).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace harambee::sim {

enum class What : std::uint8_t {
  poll,      // a peer's question has reached a hub: what is new?  a: number of the question
  answer,    // the hub's answer has reached the peer              a: question, b: parcel, c: head
  submit,    // a record has reached the hub                       b: parcel
  receipt,   // the hub's answer to a record                       b: parcel
  upload,    // a blob has reached the hub                         b: parcel
  uploaded,  // the hub has it                                     b: parcel
  fetch,     // a request for blobs                                b: parcel
  fetched,   // the blobs                                          b: parcel
  ask_tick,  // POST /tick
  wake,      // a peer's timer                                     a: number of the timer
  look,      // a peer looks whether an answer is overdue
  trained,   // the inner steps are done                           b: parcel
  restart,   // a machine comes back
  batch,     // a hub sequences what is waiting                    peer: which hub
  hub_up,    // a hub's process starts                             peer: which hub
  trouble,   // the next fault                                     a: which
  heal,      // the safety phase ends
};

// Plain data, 40 bytes.
struct Event {
  std::int64_t at = 0;  // virtual milliseconds
  std::uint64_t seq = 0;
  std::uint32_t peer = 0;
  std::uint32_t a = 0;
  std::uint32_t b = 0xffffffff;  // none
  std::uint32_t c = 0;
  std::uint16_t life = 0;  // the peer's incarnation, which a message belongs to
  What what = What::poll;
  std::uint8_t hub = 0;
};
static_assert(sizeof(Event) == 40);

// A heap with four children a node: half the levels, and siblings share cache lines.
class Queue {
 public:
  void push(Event event) {
    event.seq = seq_++;
    heap_.push_back(event);
    std::size_t at = heap_.size() - 1;
    while (at > 0) {
      const std::size_t parent = (at - 1) / 4;
      if (!before(event, heap_[parent])) break;
      heap_[at] = heap_[parent];
      at = parent;
    }
    heap_[at] = event;
    most_ = std::max(most_, heap_.size());
  }

  [[nodiscard]] Event pop() {
    HARAMBEE_CHECK(!heap_.empty());
    const Event first = heap_.front();
    const Event last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(last);
    return first;
  }

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t most() const { return most_; }
  [[nodiscard]] std::uint64_t pushed() const { return seq_; }

 private:
  static bool before(const Event& one, const Event& other) {
    return one.at != other.at ? one.at < other.at : one.seq < other.seq;
  }

  void sink(const Event& event) {
    const std::size_t size = heap_.size();
    std::size_t at = 0;
    for (;;) {
      const std::size_t first = 4 * at + 1;
      if (first >= size) break;
      std::size_t least = first;
      const std::size_t end = std::min(first + 4, size);
      for (std::size_t child = first + 1; child < end; ++child) {
        if (before(heap_[child], heap_[least])) least = child;
      }
      if (!before(heap_[least], event)) break;
      heap_[at] = heap_[least];
      at = least;
    }
    heap_[at] = event;
  }

  std::vector<Event> heap_;
  std::uint64_t seq_ = 0;
  std::size_t most_ = 0;
};

}  // namespace harambee::sim

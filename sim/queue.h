// The one queue of events: whatever happens, happens in the order of (virtual time, order of
// arrival).
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
  show,      // a peer shows a checkpoint that it knows          b: parcel
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

// Events in the order of (time, push). Those of the next seconds lie in a ring of one list for each
// millisecond, in the order of their pushes; later ones in a heap, which is emptied into the ring
// before anything that is pushed afterwards could get to the same millisecond. Most events are of
// the next seconds, so that pushing and popping touch neighbouring memory, whatever there is.
class Queue {
 public:
  Queue() : ring_(kRingMs) {}

  void push(Event event) {
    HARAMBEE_CHECK(event.at >= now_ms_);
    event.seq = seq_++;
    if (event.at < now_ms_ + kRingMs) {
      slot(event.at).events.push_back(event);
      ++in_ring_;
    } else {
      later_.push_back(event);
      std::push_heap(later_.begin(), later_.end(), after);
    }
    most_ = std::max(most_, in_ring_ + later_.size());
  }

  [[nodiscard]] Event pop() {
    HARAMBEE_CHECK(!empty());
    while (slot(now_ms_).next == slot(now_ms_).events.size()) advance();
    Slot& slot = this->slot(now_ms_);
    --in_ring_;
    return slot.events[slot.next++];
  }

  [[nodiscard]] bool empty() const { return in_ring_ + later_.size() == 0; }
  [[nodiscard]] std::size_t most() const { return most_; }
  [[nodiscard]] std::uint64_t pushed() const { return seq_; }

 private:
  static constexpr std::int64_t kRingMs = 8192;
  static constexpr std::size_t kKeptEvents = 64;  // a list that was longer gives its memory back
  struct Slot {
    std::vector<Event> events;
    std::size_t next = 0;  // events before it were popped
  };

  static bool after(const Event& one, const Event& other) {
    return one.at != other.at ? one.at > other.at : one.seq > other.seq;
  }
  [[nodiscard]] Slot& slot(std::int64_t at) {
    return ring_[static_cast<std::size_t>(at % kRingMs)];
  }

  // To the next millisecond; to that of the next event if none is near.
  void advance() {
    Slot& done = slot(now_ms_);
    if (done.events.capacity() > kKeptEvents) {
      done.events = {};
    } else {
      done.events.clear();
    }
    done.next = 0;
    now_ms_ = in_ring_ == 0 ? later_.front().at : now_ms_ + 1;
    while (!later_.empty() && later_.front().at < now_ms_ + kRingMs) {
      std::pop_heap(later_.begin(), later_.end(), after);
      slot(later_.back().at).events.push_back(later_.back());
      ++in_ring_;
      later_.pop_back();
    }
  }

  std::vector<Slot> ring_;  // by time modulo kRingMs
  std::vector<Event> later_;
  std::int64_t now_ms_ = 0;  // of the ring's first list
  std::size_t in_ring_ = 0;
  std::uint64_t seq_ = 0;
  std::size_t most_ = 0;
};

}  // namespace harambee::sim

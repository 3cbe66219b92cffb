// The one queue of events: whatever happens, happens in the order of (virtual time, order of
// arrival).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>
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

// Plain data, 20 bytes.
struct Event {
  std::uint32_t peer = 0;
  std::uint32_t a = 0;
  std::uint32_t b = 0xffffffff;  // none
  std::uint32_t c = 0;
  std::uint16_t life = 0;  // the peer's incarnation, which a message belongs to
  What what = What::poll;
  std::uint8_t hub = 0;
};
static_assert(sizeof(Event) == 20);

// Events in the order of (time, push). Time is cut into windows of kWindowMs. Those of the window
// at hand lie in one list for each millisecond, later ones in one list for each window, all in the
// order of their pushes; a window's list is emptied into its milliseconds when it begins, before
// anything can be pushed there. Lists of milliseconds are chains of small pieces, and the piece
// that was given back last is taken first: what is pushed lies where something was just popped,
// near the processor.
class Queue {
 public:
  Queue() : window_(kWindowMs) {}

  // at: virtual milliseconds, not before now_ms().
  void push(std::int64_t at, const Event& event) {
    HARAMBEE_CHECK(at >= now_ms_);
    if (at / kWindowMs == now_ms_ / kWindowMs) {
      append(slot(at), event);
    } else {
      later_[at / kWindowMs].push_back({at, event});
    }
    most_ = std::max(most_, ++size_);
  }

  // The next event; its time is now_ms() afterwards. There must be one.
  [[nodiscard]] Event pop() {
    HARAMBEE_CHECK(!empty());
    while (slot(now_ms_).first == kNoPiece) advance();
    Slot& slot = this->slot(now_ms_);
    Piece& piece = pieces_[slot.first];
    const Event event = piece.events[slot.read++];
    const bool last = slot.first == slot.last;
    if (slot.read == (last ? slot.filled : kPieceEvents)) {
      const std::uint32_t done = std::exchange(slot.first, last ? kNoPiece : piece.next);
      slot.read = 0;
      piece.next = std::exchange(free_, done);
    }
    --in_window_;
    --size_;
    return event;
  }

  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t most() const { return most_; }

 private:
  static constexpr std::int64_t kWindowMs = 8192;
  static constexpr std::uint32_t kNoPiece = 0xffffffff;
  static constexpr std::uint16_t kPieceEvents = 12;
  struct Piece {  // 256 bytes
    std::array<Event, kPieceEvents> events;
    std::uint32_t next = kNoPiece;
    std::array<std::uint32_t, 3> unused = {};
  };
  // The events of one millisecond: those of `first` from `read` on, …, those of `last` before
  // `filled`.
  struct Slot {
    std::uint32_t first = kNoPiece;  // none: there are no events
    std::uint32_t last = kNoPiece;
    std::uint16_t read = 0;
    std::uint16_t filled = 0;
  };
  struct Later {
    std::int64_t at;
    Event event;
  };

  [[nodiscard]] Slot& slot(std::int64_t at) {
    return window_[static_cast<std::size_t>(at % kWindowMs)];
  }

  void append(Slot& slot, const Event& event) {
    if (slot.first == kNoPiece || slot.filled == kPieceEvents) {
      const std::uint32_t piece = take();
      (slot.first == kNoPiece ? slot.first : pieces_[slot.last].next) = piece;
      slot.last = piece;
      slot.filled = 0;
    }
    pieces_[slot.last].events[slot.filled++] = event;
    ++in_window_;
  }

  [[nodiscard]] std::uint32_t take() {
    if (free_ == kNoPiece) {
      pieces_.emplace_back();
      return static_cast<std::uint32_t>(pieces_.size() - 1);
    }
    return std::exchange(free_, pieces_[free_].next);
  }

  // To the next millisecond; to the beginning of the next window with events if this has no more.
  void advance() {
    now_ms_ = in_window_ == 0 ? later_.begin()->first * kWindowMs : now_ms_ + 1;
    if (now_ms_ % kWindowMs != 0) return;
    const auto found = later_.find(now_ms_ / kWindowMs);
    if (found == later_.end()) return;
    for (const Later& one : found->second) append(slot(one.at), one.event);
    later_.erase(found);
  }

  std::vector<Slot> window_;  // by time modulo kWindowMs
  std::vector<Piece> pieces_;
  std::uint32_t free_ = kNoPiece;  // the piece that was given back last; chained by `next`
  std::map<std::int64_t, std::vector<Later>> later_;  // by time ÷ kWindowMs
  std::int64_t now_ms_ = 0;
  std::size_t in_window_ = 0;  // events of the window at hand
  std::size_t size_ = 0;       // all events
  std::size_t most_ = 0;
};

}  // namespace harambee::sim

#include "sim/queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "sim/random.h"

namespace harambee::sim {
namespace {

struct Pushed {
  std::int64_t at = 0;
  std::uint32_t number = 0;  // of the push
};

// Against a sorted list: the next is the earliest, and of those the one that was pushed first.
class Model {
 public:
  void push(std::int64_t at, std::uint32_t number) { waiting_.push_back({at, number}); }
  Pushed pop() {
    const auto next = std::ranges::min_element(waiting_, [](const Pushed& a, const Pushed& b) {
      return a.at != b.at ? a.at < b.at : a.number < b.number;
    });
    const Pushed out = *next;
    waiting_.erase(next);
    return out;
  }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  std::vector<Pushed> waiting_;
};

std::int64_t some_delay(Stream& draw) {
  switch (draw.below(5)) {
    case 0:
      return 0;  // now, behind what is there
    case 1:
      return draw.between(0, 20);
    case 2:
      return draw.between(0, 20'000);
    case 3:
      return 8192 * draw.between(0, 3);
    default:
      return draw.chance(1, 50) ? draw.between(0, 100'000'000) : 7;
  }
}

TEST(Queue, PopsInTheOrderOfTimeAndPush) {
  Stream draw(1, "queue");
  Queue queue;
  Model model;
  std::uint32_t pushed = 0, popped = 0;
  while (popped < 20'000) {
    const bool push = pushed < 20'000 && (model.empty() || draw.chance(pushed < 300 ? 3 : 1, 4) ||
                                          (pushed - popped < 40 && draw.chance(1, 2)));
    if (push) {
      const std::int64_t at = queue.now_ms() + some_delay(draw);
      Event event;
      event.peer = pushed;
      queue.push(at, event);
      model.push(at, pushed++);
      continue;
    }
    const Pushed expected = model.pop();
    const Event event = queue.pop();
    ASSERT_EQ(event.peer, expected.number);
    ASSERT_EQ(queue.now_ms(), expected.at);
    ++popped;
    ASSERT_EQ(queue.empty(), model.empty());
  }
}

TEST(Queue, CountsTheMostThatWereIn) {
  Queue queue;
  for (std::int64_t i = 0; i < 100; ++i) queue.push(i * 1000, {});
  for (int i = 0; i < 60; ++i) static_cast<void>(queue.pop());
  for (std::int64_t i = 0; i < 30; ++i) queue.push(queue.now_ms(), {});
  EXPECT_EQ(queue.most(), 100u);
}

}  // namespace
}  // namespace harambee::sim

#include "trainer/exact/pool.h"

#include <gtest/gtest.h>

namespace harambee::trainer {
namespace {

TEST(Pool, RunsEveryTaskOnceAndNoThreadTwiceAtATime) {
  for (const unsigned threads : {1u, 2u, 5u}) {
    Pool pool(threads);
    ASSERT_EQ(pool.threads(), threads);
    for (std::uint32_t tasks : {0u, 1u, 2u, 3u, 100u, 1000u}) {
      std::vector<std::atomic<int>> ran(tasks);
      std::vector<std::atomic<int>> busy(threads);
      std::atomic<bool> clash{false};
      for (int again = 0; again < 20; ++again) {
        pool.run(tasks, [&](std::uint32_t task, unsigned thread) {
          if (busy[thread].fetch_add(1) != 0) clash = true;
          ++ran[task];
          busy[thread].fetch_sub(1);
        });
      }
      for (const auto& count : ran) ASSERT_EQ(count, 20);
      EXPECT_FALSE(clash);
    }
  }
}

}  // namespace
}  // namespace harambee::trainer

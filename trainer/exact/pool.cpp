#include "trainer/exact/pool.h"

#include "base/check.h"

namespace harambee::trainer {
namespace {

constexpr std::uint64_t kField = (1u << 20) - 1;
// About 20 µs of looking before sleeping: most waits between two phases of a step are shorter.
constexpr int kSpins = 400;

std::uint64_t next(std::uint64_t ticket) { return ticket & kField; }
std::uint64_t total(std::uint64_t ticket) { return (ticket >> 20) & kField; }

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Pool::Pool(unsigned threads) {
  HARAMBEE_CHECK(threads >= 1 && threads <= kThreadsMax);
  workers_.reserve(threads - 1);
  for (unsigned i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

Pool::~Pool() {
  stop_.store(true);
  ticket_.fetch_add(std::uint64_t{1} << 40);
  ticket_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool Pool::claim(std::uint32_t* task) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (next(ticket) < total(ticket)) {
    if (ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) {
      *task = static_cast<std::uint32_t>(next(ticket));
      return true;
    }
  }
  return false;
}

void Pool::execute(std::uint32_t task, unsigned thread) {
  // The job cannot change before this task is counted as done.
  const Function function = function_.load(std::memory_order_relaxed);
  function(body_.load(std::memory_order_relaxed), task, thread);
  const auto tasks = static_cast<std::uint32_t>(total(ticket_.load(std::memory_order_relaxed)));
  if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks) done_.notify_one();
}

void Pool::run(std::uint32_t tasks, Function function, const void* body) {
  HARAMBEE_CHECK(tasks <= kTasksMax);
  if (tasks == 0) return;
  if (workers_.empty() || tasks == 1) {
    for (std::uint32_t task = 0; task < tasks; ++task) function(body, task, 0);
    return;
  }
  function_.store(function, std::memory_order_relaxed);
  body_.store(body, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t generation = (ticket_.load(std::memory_order_relaxed) >> 40) + 1;
  ticket_.store(generation << 40 | std::uint64_t{tasks} << 20, std::memory_order_release);
  ticket_.notify_all();
  std::uint32_t task = 0;
  while (claim(&task)) execute(task, 0);
  for (int spin = 0; spin < kSpins && done_.load(std::memory_order_acquire) != tasks; ++spin) {
    pause();
  }
  for (;;) {
    const std::uint32_t done = done_.load(std::memory_order_acquire);
    if (done == tasks) return;
    done_.wait(done, std::memory_order_acquire);
  }
}

void Pool::work(unsigned thread) {
  while (!stop_.load()) {
    std::uint32_t task = 0;
    while (claim(&task)) execute(task, thread);
    const std::uint64_t seen = ticket_.load(std::memory_order_acquire);
    if (stop_.load() || next(seen) < total(seen)) continue;
    bool changed = false;
    for (int spin = 0; spin < kSpins && !changed; ++spin) {
      changed = ticket_.load(std::memory_order_relaxed) != seen;
      pause();
    }
    if (!changed) ticket_.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace harambee::trainer

// Threads that share out independent tasks. Which thread runs a task is left to chance; what a task
// computes must not depend on it. No allocation after construction.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace harambee::trainer {

class Pool {
 public:
  static constexpr unsigned kThreadsMax = 256;
  static constexpr std::uint32_t kTasksMax = (1u << 20) - 1;

  // `threads` in [1, kThreadsMax], the caller's among them.
  explicit Pool(unsigned threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  // Calls body(task, thread) once for every task in [0, tasks), and returns when all are done.
  // `thread` is in [0, threads()), and no two calls with the same value overlap. Tasks start in
  // ascending order. Not reentrant; called by one thread only.
  template <typename Body>
  void run(std::uint32_t tasks, const Body& body) {
    run(tasks, &call<Body>, &body);
  }

 private:
  using Function = void (*)(const void* body, std::uint32_t task, unsigned thread);
  template <typename Body>
  static void call(const void* body, std::uint32_t task, unsigned thread) {
    (*static_cast<const Body*>(body))(task, thread);
  }
  void run(std::uint32_t tasks, Function function, const void* body);
  void work(unsigned thread);
  bool claim(std::uint32_t* task);
  void execute(std::uint32_t task, unsigned thread);

  // generation (24 bits) | tasks (20) | next task (20): one word, so that a thread that wakes late
  // cannot take a task of a job that it does not know.
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::uint32_t> done_{0};
  std::atomic<Function> function_{nullptr};
  std::atomic<const void*> body_{nullptr};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace harambee::trainer

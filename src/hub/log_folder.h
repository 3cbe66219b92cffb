// Reads the hub's own log as it grows, so that the hub can say what is on it. A hub that cannot
// fold its log goes on serving it: readers fold for themselves, and the views say what is wrong.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/result.h"
#include "hub/folded.h"
#include "hub/sequencer.h"

namespace harambee::hub {

// One writer (the thread of start(), or the caller of catch_up() where there is none), many
// readers. The sequencer outlives it.
class LogFolder {
 public:
  explicit LogFolder(Sequencer& sequencer) : sequencer_(sequencer) {}
  ~LogFolder();
  LogFolder(const LogFolder&) = delete;
  LogFolder& operator=(const LogFolder&) = delete;

  // Folds on a thread of its own whenever notify() says that the log has grown; `folded` is called
  // from that thread afterwards.
  void start(std::function<void()> folded);
  void stop();
  void notify();
  // Folds up to the published head on this thread; for tests and those who have no thread.
  void catch_up();

  // `read` sees a state that stands still; it must not call back. Readers wait for each other and
  // for a handful of entries at most.
  template <typename Read>
  auto read(Read&& read) const {
    const std::lock_guard lock(mutex_);
    return std::forward<Read>(read)(std::as_const(folded_));
  }
  // Everything that is published was folded at least once since the hub began.
  [[nodiscard]] bool ready() const;
  // Why folding has stopped, if so.
  [[nodiscard]] std::optional<std::string> trouble() const;

 private:
  [[nodiscard]] Status fold_some();  // at most 1 MiB of entries
  [[nodiscard]] Status fold_one(const Bytes& envelope);
  [[nodiscard]] Status compare_root();
  void loop(const std::function<void()>& folded);

  Sequencer& sequencer_;
  mutable std::mutex mutex_;  // folded_, ready_, trouble_
  Folded folded_;
  bool ready_ = false;
  std::optional<std::string> trouble_;
  std::mutex wake_mutex_;
  std::condition_variable woken_;
  bool grown_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace harambee::hub

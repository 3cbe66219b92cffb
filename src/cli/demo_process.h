// Child processes of the demo: each with its standard output read line by line and its standard
// error in a log file. One thread, one poll() loop; no callback runs anywhere else.
//
// What must stay true:
//  - no child outlives this process (PR_SET_PDEATHSIG), however it ends;
//  - a child has its own process group, so that Ctrl-C in a terminal reaches the demo alone, which
//    then asks every child to end in its own order;
//  - a child that ends without having been asked to is started again with a growing pause, a
//    bounded number of times, and the handler is told.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace harambee::cli {

// Joins the pieces that read() returned into lines. A line longer than the limit is cut there and
// the rest of it dropped: a child cannot make the demo grow.
class LineReader {
 public:
  static constexpr std::size_t kLineBytesMax = 1 << 20;
  // The whole lines that these bytes completed, without their newlines.
  [[nodiscard]] std::vector<std::string> feed(std::string_view bytes);

 private:
  std::string pending_;
  bool dropping_ = false;
};

// The pause before a restart: 0.25 s, doubled each time up to 8 s; forgotten once the child has
// lived for 20 s. Pure, so that it can be tested.
class Backoff {
 public:
  static constexpr int kRestartsMax = 8;  // in a row, each having lived less than 20 s
  // How long to wait, or nothing when it is time to give up.
  [[nodiscard]] std::optional<std::int64_t> next_ms(std::int64_t lived_ms);

 private:
  int in_a_row_ = 0;
};

enum class WhenItDies { report, restart };

struct ChildSpec {
  std::string name;               // as it is shown; unique among living children
  std::vector<std::string> argv;  // argv[0] is the program's path
  std::filesystem::path log;      // standard error is appended here
  WhenItDies when_it_dies = WhenItDies::report;
  std::vector<int> final_codes = {0};  // exit codes after which it is not started again
};

// How a child ended: an exit code, or a signal.
struct ChildEnd {
  int code = 0;
  int signal = 0;
  bool asked = false;  // stop() or kill() was called first
  [[nodiscard]] bool clean() const { return signal == 0 && code == 0; }
  [[nodiscard]] std::string describe() const;  // "exit code 3", "signal 9 (Killed)"
};

class Children {
 public:
  struct Handler {
    std::function<void(const std::string& name, const std::string& line)> line;
    // Called after all lines of that child were delivered. `restart_ms` is set when it will be
    // started again after that pause.
    std::function<void(const std::string& name, const ChildEnd& end,
                       std::optional<std::int64_t> restart_ms)>
        ended;
  };

  explicit Children(Handler handler);
  ~Children();  // kills what still lives
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // io: the program cannot be started (checked before fork: it must exist and be executable).
  [[nodiscard]] Status start(ChildSpec spec);
  // SIGINT: end in order. The child is not started again.
  void stop(const std::string& name);
  // SIGKILL, as a power cut would. With WhenItDies::restart the child is started again, unless
  // it was asked to stop.
  void kill(const std::string& name);
  // Waits up to `timeout_ms` for lines, ends and due restarts, and delivers them.
  // Returns early when a signal comes.
  void pump(std::int64_t timeout_ms);
  // SIGINT to all but those named last, waits for them, then to the last ones in their order
  // (the hub goes last, so that the others can say goodbye); SIGKILL after `grace_ms` each.
  void stop_all(std::int64_t grace_ms, const std::vector<std::string>& last);

  [[nodiscard]] bool alive(const std::string& name) const;
  [[nodiscard]] pid_t pid(const std::string& name) const;  // 0 when not alive
  [[nodiscard]] bool any_alive() const;

 private:
  struct Child;
  [[nodiscard]] Status spawn(Child& child);
  void read_from(Child& child);
  void reap(Child& child);
  void restart_due();
  void wait_for(const std::vector<std::string>& names, std::int64_t grace_ms);
  [[nodiscard]] Child* find(const std::string& name);
  [[nodiscard]] const Child* find(const std::string& name) const;

  Handler handler_;
  std::vector<std::unique_ptr<Child>> children_;
};

// The path of this very program, so that children are the same build.
[[nodiscard]] std::filesystem::path own_program();
// The last lines of a log file, for an error message; empty if there are none.
[[nodiscard]] std::string log_tail(const std::filesystem::path& log, int lines);
[[nodiscard]] std::int64_t steady_now_ms();

}  // namespace harambee::cli

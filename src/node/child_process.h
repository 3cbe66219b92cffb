// A program of the person's choice as a child process in a process group of its own: lines in,
// lines out, standard error into a file. It dies with us, inherits no open file, and is killed
// with all its children when it is too slow or talks too much.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace harambee::node {

struct ChildLimits {
  std::int64_t stall_ms = 300'000;        // without a byte in the direction we wait for
  std::size_t line_bytes_max = 4u << 20;  // without the newline
  std::function<bool()> keep_going;       // asked about ten times a second; may be empty
};

class ChildProcess {
 public:
  // `log` is begun afresh. unavailable: it cannot be started (not found, not executable).
  [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(
      const std::vector<std::string>& argv, const std::filesystem::path& log, ChildLimits limits);
  ~ChildProcess();  // kills
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // After any error the child has been killed and only end() makes sense.
  // unavailable: it ended or stalled; the message has the end of its log. limit: too long a line.
  // cancelled: keep_going said no.
  [[nodiscard]] Status write_line(std::string_view line);
  [[nodiscard]] Result<std::string> read_line();
  // Waits for it to end by itself. unavailable: it did not, or with another code than 0.
  [[nodiscard]] Status wait();
  void kill();
  [[nodiscard]] int pid() const { return pid_; }  // 0 after it ended

 private:
  ChildProcess(int pid, int in, int out, std::filesystem::path log, ChildLimits limits);
  enum class Ready { yes, stalled, cancelled };
  [[nodiscard]] Ready await(int descriptor, short events) const;
  // Kills and says why in `what`, with the exit status and the end of the log.
  [[nodiscard]] Error give_up(const std::string& what);
  void reap();
  [[nodiscard]] std::string log_tail() const;
  [[nodiscard]] std::string describe_status() const;

  int pid_;
  int in_;   // its standard input
  int out_;  // its standard output
  int status_ = 0;
  std::filesystem::path log_;
  ChildLimits limits_;
  std::string buffer_;
};

}  // namespace harambee::node

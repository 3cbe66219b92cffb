#include "node/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <utility>

namespace harambee::node {
namespace {

constexpr int kPollMs = 100;
constexpr std::size_t kLogTailBytes = 600;

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

void close_if_open(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// Between fork and exec: nothing but async-signal-safe calls. Never returns; an exec failure goes
// through `report`.
[[noreturn]] void become(char* const* argv, int in, int out, int log, int report, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before prctl
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const ssize_t n = ::write(report, &error, sizeof error);
  ::_exit(127);
}

struct Ends {
  int ours = -1;
  int theirs = -1;
  ~Ends() {
    close_if_open(ours);
    close_if_open(theirs);
  }
};

}  // namespace

ChildProcess::ChildProcess(int pid, int in, int out, std::filesystem::path log, ChildLimits limits)
    : pid_(pid), in_(in), out_(out), log_(std::move(log)), limits_(std::move(limits)) {}

ChildProcess::~ChildProcess() { kill(); }

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const std::vector<std::string>& argv,
                                                          const std::filesystem::path& log,
                                                          ChildLimits limits) {
  if (argv.empty() || argv[0].empty()) return invalid("no trainer command");
  // A socket for its input, so that writing to a dead child is an error and not SIGPIPE.
  int sockets[2], pipes[2], reports[2];
  Ends in, out, report;
  const auto failed = [&argv] {
    return fail(ErrorCode::unavailable, "cannot start " + argv[0] + ": " + std::strerror(errno));
  };
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return failed();
  in.ours = sockets[0], in.theirs = sockets[1];
  if (::pipe2(pipes, O_CLOEXEC) != 0) return failed();
  out.ours = pipes[0], out.theirs = pipes[1];
  if (::pipe2(reports, O_CLOEXEC) != 0) return failed();
  report.ours = reports[0], report.theirs = reports[1];
  Ends log_file;
  log_file.ours = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (log_file.ours < 0) return failed();
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed();
  if (pid == 0) {
    become(arguments.data(), in.theirs, out.theirs, log_file.ours, report.theirs, parent);
  }
  ::setpgid(pid, pid);  // whoever is first
  close_if_open(report.theirs);
  int error = 0;
  ssize_t n = 0;
  while ((n = ::read(report.ours, &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (n == sizeof error) {
    ::waitpid(pid, nullptr, 0);
    errno = error;
    return failed();
  }
  ::fcntl(in.ours, F_SETFL, O_NONBLOCK);
  ::fcntl(out.ours, F_SETFL, O_NONBLOCK);
  return std::unique_ptr<ChildProcess>(new ChildProcess(
      pid, std::exchange(in.ours, -1), std::exchange(out.ours, -1), log, std::move(limits)));
}

ChildProcess::Ready ChildProcess::await(int descriptor, short events) const {
  const std::int64_t deadline = now_ms() + limits_.stall_ms;
  for (;;) {
    pollfd entry{descriptor, events, 0};
    const std::int64_t left = deadline - now_ms();
    if (left <= 0) return Ready::stalled;
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left, kPollMs)));
    if (ready > 0) return Ready::yes;
    if (limits_.keep_going && !limits_.keep_going()) return Ready::cancelled;
  }
}

std::string ChildProcess::log_tail() const {
  std::ifstream file(log_, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  const std::size_t take = std::min(size, kLogTailBytes);
  std::string tail(take, '\0');
  file.seekg(static_cast<std::streamoff>(size - take));
  file.read(tail.data(), static_cast<std::streamsize>(take));
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return tail;
}

std::string ChildProcess::describe_status() const {
  if (WIFSIGNALED(status_)) {
    return fmt::format("signal {} ({})", WTERMSIG(status_), ::strsignal(WTERMSIG(status_)));
  }
  return fmt::format("exit code {}", WEXITSTATUS(status_));
}

void ChildProcess::reap() {
  if (pid_ == 0) return;
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void ChildProcess::kill() {
  if (pid_ != 0) {
    ::kill(-pid_, SIGKILL);  // the group: its helpers too
    ::kill(pid_, SIGKILL);
    reap();
  }
  close_if_open(in_);
  close_if_open(out_);
}

Error ChildProcess::give_up(const std::string& what) {
  kill();
  const std::string tail = log_tail();
  return fail(ErrorCode::unavailable,
              tail.empty() ? what : what + "; the end of its log:\n" + tail);
}

Status ChildProcess::write_line(std::string_view line) {
  std::string all(line);
  all += '\n';
  std::string_view rest = all;
  while (!rest.empty()) {
    const ssize_t n = ::send(in_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n > 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      switch (await(in_, POLLOUT)) {
        case Ready::yes:
          continue;
        case Ready::stalled:
          return give_up(
              fmt::format("the trainer took no input for {} s", limits_.stall_ms / 1000));
        case Ready::cancelled:
          kill();
          return fail(ErrorCode::cancelled, "stopped");
      }
    }
    // It is gone: end it and say how it ended.
    const auto said = read_line();
    return said ? give_up("the trainer closed its input") : said.error();
  }
  return ok();
}

Result<std::string> ChildProcess::read_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos && end <= limits_.line_bytes_max) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > limits_.line_bytes_max) {
      kill();
      return fail(ErrorCode::limit, fmt::format("the trainer wrote a line of more than {} bytes",
                                                limits_.line_bytes_max));
    }
    if (out_ < 0) return fail(ErrorCode::unavailable, "the trainer has ended");
    switch (await(out_, POLLIN)) {
      case Ready::yes:
        break;
      case Ready::stalled:
        return give_up(
            fmt::format("the trainer said nothing for {} ms and was ended", limits_.stall_ms));
      case Ready::cancelled:
        kill();
        return fail(ErrorCode::cancelled, "stopped");
    }
    char chunk[65536];
    const ssize_t n = ::read(out_, chunk, sizeof chunk);
    if (n > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(n));
    } else if (n == 0) {
      // End of file: let it die its own death, so that the reason is the true one.
      static_cast<void>(wait());
      return give_up("the trainer ended in the middle of its work with " + describe_status());
    }
  }
}

Status ChildProcess::wait() {
  close_if_open(in_);
  const std::int64_t deadline = now_ms() + std::min<std::int64_t>(limits_.stall_ms, 10'000);
  while (pid_ != 0) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
        info.si_pid == pid_) {
      ::kill(-pid_, SIGKILL);  // what it may have left behind in its group, before the id is free
      reap();
      break;
    }
    if (now_ms() > deadline) return give_up("the trainer did not end");
    ::poll(nullptr, 0, 5);
  }
  if (status_ == 0) return ok();
  return give_up("the trainer ended with " + describe_status());
}

}  // namespace harambee::node

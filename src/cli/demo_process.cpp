#include "cli/demo_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

#include <fmt/format.h>

namespace harambee::cli {

std::int64_t steady_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> LineReader::feed(std::string_view bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!dropping_) {
      const std::size_t room = kLineBytesMax - pending_.size();
      pending_.append(piece.substr(0, room));
      dropping_ = piece.size() > room;
    }
    if (end == std::string_view::npos) break;
    lines.push_back(std::move(pending_));
    pending_.clear();
    dropping_ = false;
    bytes.remove_prefix(end + 1);
  }
  return lines;
}

std::optional<std::int64_t> Backoff::next_ms(std::int64_t lived_ms) {
  if (lived_ms >= 20'000) in_a_row_ = 0;
  if (in_a_row_ >= kRestartsMax) return std::nullopt;
  return std::min<std::int64_t>(8'000, std::int64_t{250} << in_a_row_++);
}

std::string ChildEnd::describe() const {
  if (signal != 0) return fmt::format("signal {} ({})", signal, strsignal(signal));
  return fmt::format("exit code {}", code);
}

struct Children::Child {
  ChildSpec spec;
  pid_t pid = 0;
  int out = -1;  // we read its standard output here
  LineReader lines;
  Backoff backoff;
  bool stopping = false;
  bool asked = false;
  std::int64_t started_ms = 0;
  std::optional<std::int64_t> restart_at_ms;

  void close_pipe() {
    if (out >= 0) ::close(out);
    out = -1;
  }
};

Children::Children(Handler handler) : handler_(std::move(handler)) {
  // A child that died while we write to it is an ordinary event, not the end of the demo.
  ::signal(SIGPIPE, SIG_IGN);
}

Children::~Children() {
  for (auto& child : children_) {
    if (child->pid > 0) {
      ::kill(-child->pid, SIGKILL);
      ::waitpid(child->pid, nullptr, 0);
    }
    child->close_pipe();
  }
}

Children::Child* Children::find(const std::string& name) {
  for (auto& child : children_) {
    if (child->spec.name == name) return child.get();
  }
  return nullptr;
}

const Children::Child* Children::find(const std::string& name) const {
  return const_cast<Children*>(this)->find(name);
}

bool Children::alive(const std::string& name) const { return pid(name) > 0; }

pid_t Children::pid(const std::string& name) const {
  const Child* child = find(name);
  return child != nullptr ? child->pid : 0;
}

bool Children::any_alive() const {
  return std::any_of(children_.begin(), children_.end(), [](const auto& c) { return c->pid > 0; });
}

Status Children::start(ChildSpec spec) {
  HARAMBEE_CHECK(!spec.argv.empty());
  HARAMBEE_CHECK(!alive(spec.name));
  std::erase_if(children_, [&](const auto& child) { return child->spec.name == spec.name; });
  children_.push_back(std::make_unique<Child>());
  children_.back()->spec = std::move(spec);
  return spawn(*children_.back());
}

namespace {

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const std::vector<char*>& argv, int in, int out, int err, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the demo died before the line above
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Status Children::spawn(Child& child) {
  const ChildSpec& spec = child.spec;
  if (::access(spec.argv[0].c_str(), X_OK) != 0) {
    return fail(ErrorCode::io, fmt::format("cannot start {}: {} is no program that can be run ({})",
                                           spec.name, spec.argv[0], std::strerror(errno)));
  }
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::io, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int err = ::open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  std::vector<char*> argv;
  for (const std::string& a : spec.argv) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = err < 0 || in < 0 ? -1 : ::fork();
  if (pid == 0) become(argv, in, out[1], err, parent);
  const int why = errno;
  if (in >= 0) ::close(in);
  ::close(out[1]);
  if (err >= 0) ::close(err);
  if (pid < 0) {
    ::close(out[0]);
    return fail(ErrorCode::io, fmt::format("cannot start {} (log {}): {}", spec.name,
                                           spec.log.string(), std::strerror(why)));
  }
  ::setpgid(pid, pid);  // also here: whichever of the two comes first
  child.pid = pid;
  child.out = out[0];
  ::fcntl(child.out, F_SETFL, O_NONBLOCK);
  child.lines = {};
  child.asked = child.stopping = false;
  child.restart_at_ms.reset();
  child.started_ms = steady_now_ms();
  return ok();
}

void Children::stop(const std::string& name) {
  Child* child = find(name);
  if (child == nullptr) return;
  child->stopping = child->asked = true;
  child->restart_at_ms.reset();
  if (child->pid > 0) ::kill(child->pid, SIGINT);
}

void Children::kill(const std::string& name) {
  Child* child = find(name);
  if (child == nullptr || child->pid <= 0) return;
  child->asked = true;
  ::kill(child->pid, SIGKILL);
}

void Children::read_from(Child& child) {
  std::array<char, 65536> buffer;
  while (child.out >= 0) {
    const ssize_t n = ::read(child.out, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      ::close(child.out);
      child.out = -1;
      return;
    }
    const std::string name = child.spec.name;
    for (const std::string& line : child.lines.feed({buffer.data(), static_cast<std::size_t>(n)})) {
      handler_.line(name, line);
    }
  }
}

void Children::reap(Child& child) {
  int status = 0;
  if (::waitpid(child.pid, &status, WNOHANG) != child.pid) return;
  read_from(child);
  // What it started itself (a trainer) is in its group, and must not go on alone.
  ::kill(-child.pid, SIGKILL);
  ChildEnd end;
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  end.asked = child.asked;
  child.pid = 0;
  child.close_pipe();
  const std::int64_t now = steady_now_ms();
  std::optional<std::int64_t> pause;
  const auto& finals = child.spec.final_codes;
  const bool is_final = end.signal == 0 && std::count(finals.begin(), finals.end(), end.code) > 0;
  if (child.spec.when_it_dies == WhenItDies::restart && !child.stopping && !is_final) {
    pause = child.backoff.next_ms(now - child.started_ms);
  }
  if (pause) child.restart_at_ms = now + *pause;
  const std::string name = child.spec.name;  // the handler may start or stop children
  handler_.ended(name, end, pause);
}

void Children::restart_due() {
  const std::int64_t now = steady_now_ms();
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Child& child = *children_[i];
    if (child.pid > 0 || !child.restart_at_ms || *child.restart_at_ms > now) continue;
    child.restart_at_ms.reset();
    if (const Status started = spawn(child); !started) {
      const auto pause = child.backoff.next_ms(0);
      if (pause) child.restart_at_ms = now + *pause;
      handler_.ended(child.spec.name, ChildEnd{.code = 127}, pause);
    }
  }
}

void Children::pump(std::int64_t timeout_ms) {
  restart_due();
  std::vector<pollfd> fds;
  std::int64_t wait_ms = timeout_ms;
  const std::int64_t now = steady_now_ms();
  for (const auto& child : children_) {
    if (child->out >= 0) fds.push_back({child->out, POLLIN, 0});
    // Output closed but not yet reaped: the end comes at any moment.
    if (child->pid > 0 && child->out < 0) wait_ms = std::min<std::int64_t>(wait_ms, 10);
    if (child->restart_at_ms) {
      wait_ms = std::min(wait_ms, std::max<std::int64_t>(1, *child->restart_at_ms - now));
    }
  }
  ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(0, wait_ms)));
  // By index: handlers may add children.
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Child* child = children_[i].get();
    if (child->out >= 0) read_from(*child);
  }
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Child* child = children_[i].get();
    if (child->pid > 0) reap(*child);
  }
}

void Children::wait_for(const std::vector<std::string>& names, std::int64_t grace_ms) {
  const std::int64_t deadline = steady_now_ms() + grace_ms;
  const auto living = [&] {
    return std::any_of(names.begin(), names.end(), [&](const auto& n) { return alive(n); });
  };
  while (living() && steady_now_ms() < deadline) pump(20);
  for (const std::string& name : names) kill(name);
  while (living()) pump(20);
}

void Children::stop_all(std::int64_t grace_ms, const std::vector<std::string>& last) {
  std::vector<std::string> first;
  for (const auto& child : children_) {
    const std::string& name = child->spec.name;
    if (std::find(last.begin(), last.end(), name) == last.end()) first.push_back(name);
  }
  for (const std::string& name : first) stop(name);
  wait_for(first, grace_ms);
  for (const std::string& name : last) {
    stop(name);
    wait_for({name}, grace_ms);
  }
}

std::filesystem::path own_program() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored);
}

std::string log_tail(const std::filesystem::path& log, int lines) {
  std::ifstream in(log, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const std::streamoff size = in.tellg();
  const std::streamoff from = std::max<std::streamoff>(0, size - 8192);
  in.seekg(from);
  std::string text(static_cast<std::size_t>(size - from), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t at = text.size();
  for (int i = 0; i < lines && at != std::string::npos; ++i) {
    at = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  }
  return at == std::string::npos ? text : text.substr(at + 1);
}

}  // namespace harambee::cli

#include "cli/ui.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace harambee::cli {
namespace {

std::atomic<bool> stop_flag_value{false};

void on_stop_signal(int number) {
  if (stop_flag_value.exchange(true)) _exit(128 + number);
}

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::size_t columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

// At most `width` columns; our own texts are ASCII but for a few symbols of one column each.
// Colour sequences (ESC [ … m) take no column, and one that was begun is ended.
std::string cut(std::string_view text, std::size_t width) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size() - 1);
      continue;
    }
    bool starts_character = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (!starts_character || ++seen <= width) continue;
    bool painted = text.find('\x1b') < i;
    return std::string(text.substr(0, i)) + (painted ? "\x1b[0m" : "");
  }
  return std::string(text);
}

void put(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return stop_flag_value.load(); }
const std::atomic<bool>& stop_flag() { return stop_flag_value; }

Ui::Ui(bool json)
    : json_(json),
      terminal_(!json && isatty(STDOUT_FILENO) != 0),
      colours_(!json && isatty(STDOUT_FILENO) != 0 && isatty(STDERR_FILENO) != 0 &&
               (std::getenv("NO_COLOR") == nullptr || *std::getenv("NO_COLOR") == '\0')) {}

void Ui::clear_live() {
  if (live_lines_ > 1) put(stdout, fmt::format("\x1b[{}A", live_lines_ - 1));
  if (live_lines_ > 0) put(stdout, "\r\x1b[J");
  live_lines_ = 0;
}

void Ui::line(std::string_view text) {
  if (json_) return;
  std::scoped_lock lock(mutex_);
  clear_live();
  put(stdout, std::string(text) + "\n");
}

void Ui::note(std::string_view text) {
  std::scoped_lock lock(mutex_);
  clear_live();
  put(stderr, std::string(text) + "\n");
}

void Ui::progress(std::string_view text, std::int64_t plain_every_ms) {
  if (json_) return;
  std::scoped_lock lock(mutex_);
  std::int64_t now = steady_ms();
  if (terminal_) {
    if (live_lines_ == 1 && now - plain_last_ms_ < 50) return;
    plain_last_ms_ = now;
    clear_live();
    put(stdout, cut(text, columns() - 1));
    live_lines_ = 1;
    return;
  }
  if (plain_last_ms_ != 0 && now - plain_last_ms_ < plain_every_ms) return;
  plain_last_ms_ = now;
  put(stdout, std::string(text) + "\n");
}

void Ui::block(const std::vector<std::string>& lines) {
  if (!terminal_ || lines.empty()) return;
  std::scoped_lock lock(mutex_);
  std::string text;
  if (live_lines_ > 1) text += fmt::format("\x1b[{}A", live_lines_ - 1);
  if (live_lines_ > 0) text += "\r";
  // Each line is cleared after it was written, not before: nothing flickers.
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += (i > 0 ? "\n" : "") + cut(lines[i], columns() - 1) + "\x1b[K";
  }
  put(stdout, text + "\x1b[J");
  live_lines_ = lines.size();
}

void Ui::progress_done() {
  if (json_) return;
  std::scoped_lock lock(mutex_);
  clear_live();
  plain_last_ms_ = 0;
}

void Ui::event(const nlohmann::json& object) {
  if (!json_) return;
  std::scoped_lock lock(mutex_);
  // Bytes of strangers (model output, names) may be no UTF-8: replaced, never thrown over.
  put(stdout, object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Exit Ui::fail(const Error& error, const Advice& advice) {
  if (error.code == ErrorCode::cancelled) {
    return fail(kInterrupted, "stopped",
                {advice.kept.empty() ? "nothing is lost" : advice.kept,
                 advice.todo.empty() ? "run the same command again to go on" : advice.todo});
  }
  return fail(exit_of(error.code), error.message, advice);
}

Exit Ui::fail(Exit code, std::string_view message, const Advice& advice) {
  {
    std::scoped_lock lock(mutex_);
    clear_live();
    std::string head = colours_ ? "\x1b[1;31mharambee:\x1b[0m " : "harambee: ";
    std::string text = head + std::string(message) + "\n";
    if (!advice.kept.empty()) text += "  kept: " + advice.kept + "\n";
    if (!advice.todo.empty()) text += "  to do: " + advice.todo + "\n";
    put(stderr, text);
  }
  event({{"event", "error"},
         {"exit", static_cast<int>(code)},
         {"error", std::string(message)},
         {"kept", advice.kept},
         {"todo", advice.todo}});
  return code;
}

std::string Ui::paint(const char* code, std::string_view text) const {
  if (!colours_) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}
std::string Ui::bold(std::string_view text) const { return paint("1", text); }
std::string Ui::dim(std::string_view text) const { return paint("2", text); }
std::string Ui::green(std::string_view text) const { return paint("32", text); }
std::string Ui::yellow(std::string_view text) const { return paint("33", text); }
std::string Ui::red(std::string_view text) const { return paint("31", text); }

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  for (const char* unit : {"kB", "MB", "GB", "TB"}) {
    value /= 1000;
    if (value < 999.5) return fmt::format("{:.{}f} {}", value, value < 99.95 ? 1 : 0, unit);
  }
  return fmt::format("{:.0f} PB", value / 1000);
}

std::string human_seconds(double seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds < 60) return fmt::format("{:.0f}s", seconds);
  auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

std::string human_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string human_nats(std::int64_t nano_nats, int digits) {
  return fmt::format("{:.{}f}", static_cast<double>(nano_nats) / 1e9, digits);
}

}  // namespace harambee::cli

// How the program speaks to a person or to another program: text on a terminal, plain lines
// otherwise, JSON when asked. Only this file of the house writes to stdout and stderr.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "cli/exit_codes.h"

namespace harambee::cli {

// What a failed verb tells a person: what happened, what was kept, what to do.
struct Advice {
  std::string kept;  // may be empty: nothing was at stake
  std::string todo;  // may be empty
};

// Thread-safe. Colours and the live line only where stdout is a terminal and NO_COLOR is unset.
class Ui {
 public:
  explicit Ui(bool json);

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] bool terminal() const { return terminal_; }

  // One line of ordinary text on stdout; nothing under --json.
  void line(std::string_view text);
  // A remark on stderr, under --json too.
  void note(std::string_view text);
  // The live line: rewritten in place on a terminal; elsewhere a plain line at most every
  // `plain_every_ms`. Nothing under --json.
  void progress(std::string_view text, std::int64_t plain_every_ms = 5000);
  // A live block of several lines, redrawn in place; on a terminal only (elsewhere nothing: the
  // caller prints plain lines when there is news). line() and note() print above it. Lines may
  // carry colours and are cut to the width of the terminal.
  void block(const std::vector<std::string>& lines);
  // Ends the live line or block; what it showed is cleared.
  void progress_done();
  // One JSON object on one line of stdout; nothing without --json.
  void event(const nlohmann::json& object);

  // Prints the error and the advice on stderr (and an "error" event under --json).
  [[nodiscard]] Exit fail(const Error& error, const Advice& advice = {});
  [[nodiscard]] Exit fail(Exit code, std::string_view message, const Advice& advice = {});

  // The text in the colour, or as it is where there are no colours.
  [[nodiscard]] std::string bold(std::string_view text) const;
  [[nodiscard]] std::string dim(std::string_view text) const;
  [[nodiscard]] std::string green(std::string_view text) const;
  [[nodiscard]] std::string yellow(std::string_view text) const;
  [[nodiscard]] std::string red(std::string_view text) const;

 private:
  [[nodiscard]] std::string paint(const char* code, std::string_view text) const;
  void clear_live();

  bool json_;
  bool terminal_;
  bool colours_;
  std::size_t live_lines_ = 0;  // lines of the live block on the screen now
  std::int64_t plain_last_ms_ = 0;
  std::mutex mutex_;
};

// Set by SIGINT and SIGTERM once catch_stop_signals() ran; a second signal ends the process.
void catch_stop_signals();
[[nodiscard]] bool stop_requested();
// For libraries that look at a flag.
[[nodiscard]] const std::atomic<bool>& stop_flag();

// "12.3 MB", "4m 05s", "1,234": one way to say a quantity.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
[[nodiscard]] std::string human_seconds(double seconds);
[[nodiscard]] std::string human_count(std::uint64_t count);
// Nano-nats as "2.345".
[[nodiscard]] std::string human_nats(std::int64_t nano_nats, int digits = 4);

}  // namespace harambee::cli

// What verbs need before they begin: where state lies, which key, which trainer, the real clock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sign.h"
#include "cli/verbs.h"
#include "node/audit_trainer.h"
#include "node/run_address.h"
#include "port/clock.h"

namespace harambee::cli {

// The real one; waits end when the person asks to stop.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t unix_ms() const override;
  [[nodiscard]] std::int64_t steady_ms() const override;
  bool wait_ms(std::int64_t ms) override;
};

// --dir, or $XDG_DATA_HOME/harambee/<host>/<run>/<role> (~/.local/share without XDG_DATA_HOME).
[[nodiscard]] std::filesystem::path state_dir(const Common& common, const node::RunAddress& address,
                                              std::string_view role);
// --dir, or $XDG_CACHE_HOME/harambee/<host> (~/.cache): what may be deleted at any time.
[[nodiscard]] std::filesystem::path cache_dir(const Common& common, const std::string& hub_url);
// ~/.config/harambee/key.pem
[[nodiscard]] std::filesystem::path default_key_file();

[[nodiscard]] Result<SecretKey> load_key(const std::filesystem::path& file);
// Made, mode 0600, if it is not there; says so with a note.
[[nodiscard]] Result<SecretKey> load_or_make_key(const std::filesystem::path& file, Ui& ui);
// 64 hex digits.
[[nodiscard]] Result<KeyId> parse_key_id(std::string_view text);

// --trainer cut at spaces (quotes group), or harambee-trainer beside this program, with --simd.
[[nodiscard]] Result<std::vector<std::string>> trainer_command(const Common& common);
// --audit-trainer CLASS=COMMAND, each class once; the exact one is refused: its trainer is
// --trainer.
[[nodiscard]] Result<std::vector<node::AuditTrainer>> audit_trainers(
    const std::vector<std::string>& options);
[[nodiscard]] unsigned threads(const Common& common);
// Of errors that came while a trainer was at work: it crashed, hung, or broke the protocol
// (node/trainer_process.h).
[[nodiscard]] inline bool is_trainers(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::invalid ||
         error.code == ErrorCode::refused;
}

// A rate and the time left from looks at counters: "1,234 records/s, 12s left". Each unit has its
// own pace, so that work of two kinds may take turns.
class Pace {
 public:
  // Empty until there is something to say.
  [[nodiscard]] std::string say(std::uint64_t done, std::uint64_t total, const std::string& unit);

 private:
  struct Begun {
    std::int64_t at_ms = 0;
    std::uint64_t done = 0;
  };
  std::map<std::string, Begun> begun_;
};

}  // namespace harambee::cli

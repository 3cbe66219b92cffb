#include "cli/setup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "fold/acts.h"
#include "fold/audit_acts.h"
#include "fold/fields.h"
#include "node/trainer_process.h"
#include "store/file.h"

namespace harambee::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kWaitSliceMs = 50;  // how soon Ctrl-C is noticed

fs::path home(const char* variable, const char* below_home) {
  if (const char* set = std::getenv(variable); set != nullptr && *set == '/') return set;
  const char* user = std::getenv("HOME");
  return fs::path(user != nullptr && *user != '\0' ? user : ".") / below_home;
}

// "http://host:8080" → "host-8080": one folder a hub.
std::string folder_of(const std::string& hub_url) {
  std::string name = hub_url.substr(hub_url.find("://") + 3);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ':' || c == '[' || c == ']'; }, '-');
  return name;
}

}  // namespace

std::int64_t SystemClock::unix_ms() const {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t SystemClock::steady_ms() const {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

bool SystemClock::wait_ms(std::int64_t ms) {
  std::int64_t until = steady_ms() + ms;
  for (std::int64_t left; (left = until - steady_ms()) > 0;) {
    if (stop_requested()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left, kWaitSliceMs)));
  }
  return !stop_requested();
}

fs::path state_dir(const Common& common, const node::RunAddress& address, std::string_view role) {
  if (!common.dir.empty()) return common.dir;
  return home("XDG_DATA_HOME", ".local/share") / "harambee" / folder_of(address.hub) /
         address.name / role;
}

fs::path cache_dir(const Common& common, const std::string& hub_url) {
  if (!common.dir.empty()) return common.dir;
  return home("XDG_CACHE_HOME", ".cache") / "harambee" / folder_of(hub_url);
}

fs::path default_key_file() { return home("XDG_CONFIG_HOME", ".config") / "harambee" / "key.pem"; }

Result<SecretKey> load_key(const fs::path& file) {
  Result<Bytes> bytes = store::read_file(file.string(), 64 * 1024);
  if (!bytes) return wrap(bytes.error(), "the key file");
  Result<SecretKey> key = SecretKey::from_pem(text(*bytes));
  std::fill(bytes->begin(), bytes->end(), 0);
  if (!key) return wrap(key.error(), file.string());
  return key;
}

Result<SecretKey> load_or_make_key(const fs::path& file, Ui& ui) {
  std::error_code error;
  if (fs::exists(file, error)) return load_key(file);
  SecretKey key = SecretKey::generate();
  Status written = store::write_file_atomic(file.string(), view(key.to_pem()), 0600);
  if (!written) return wrap(written.error(), "making a key");
  ui.note(fmt::format("made a key for you: {} ({}…)", file.string(), key.id().hex().substr(0, 16)));
  return key;
}

Result<KeyId> parse_key_id(std::string_view text) {
  Result<Digest> id = Digest::from_hex(text);
  if (!id) {
    return invalid(fmt::format("\"{}\" is no key id: 64 hex digits, as `harambee key show` prints",
                               text.substr(0, 100)));
  }
  return id;
}

namespace {

// Cut at spaces; quotes group. `option` is for the errors.
Result<std::vector<std::string>> words_of(const std::string& command, const std::string& option) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  char quote = '\0';
  for (char c : command) {
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      inside = true;
    } else if (c == ' ') {
      if (inside || !word.empty()) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
    }
  }
  if (quote != '\0') return invalid(option + ": a quote is not closed");
  if (inside || !word.empty()) words.push_back(word);
  if (words.empty()) return invalid(option + ": there is no command in it");
  return words;
}

}  // namespace

Result<std::vector<std::string>> trainer_command(const Common& common) {
  if (!common.trainer.empty()) return words_of(common.trainer, "--trainer");
  std::vector<std::string> words = {node::default_trainer()};
  if (!common.simd.empty()) words.insert(words.end(), {"--simd", common.simd});
  return words;
}

Result<std::vector<node::AuditTrainer>> audit_trainers(const std::vector<std::string>& options) {
  std::vector<node::AuditTrainer> made;
  for (const std::string& option : options) {
    const std::string say = "--audit-trainer " + option.substr(0, 100);
    const std::size_t at = option.find('=');
    const std::string numeric_class = option.substr(0, at);
    if (at == std::string::npos || !fold::is_slug(numeric_class, fold::kNameBytesMax)) {
      return invalid(say + ": give CLASS=COMMAND, the class as its trainer says it");
    }
    if (numeric_class == fold::kExactClass) {
      return invalid(say + ": the exact class is repeated by --trainer");
    }
    if (node::find_audit_trainer(made, numeric_class) != nullptr) {
      return invalid(say + ": there is one for this class already");
    }
    auto command = words_of(option.substr(at + 1), "--audit-trainer");
    if (!command) return command.error();
    made.push_back({numeric_class, *std::move(command)});
  }
  return made;
}

unsigned threads(const Common& common) {
  return common.threads != 0 ? common.threads : std::max(1u, std::thread::hardware_concurrency());
}

std::string Pace::say(std::uint64_t done, std::uint64_t total, const std::string& unit) {
  SystemClock clock;
  std::int64_t now = clock.steady_ms();
  auto [begun, first] = begun_.try_emplace(unit, Begun{now, done});
  if (first || done <= begun->second.done) return "";
  double seconds = static_cast<double>(now - begun->second.at_ms) / 1000;
  if (seconds < 0.5) return "";
  double rate = static_cast<double>(done - begun->second.done) / seconds;
  std::string said;
  if (rate >= 10) {
    said = fmt::format("{} {}/s", human_count(static_cast<std::uint64_t>(rate)), unit);
  } else if (rate >= 0.5) {
    said = fmt::format("{:.1f} {}/s", rate, unit);
  } else {
    said = fmt::format("{} each", human_seconds(1 / rate));
  }
  if (total > done) {
    said += fmt::format(", {} left", human_seconds(static_cast<double>(total - done) / rate));
  }
  return said;
}

}  // namespace harambee::cli

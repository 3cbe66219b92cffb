#include "cli/read_run.h"

#include <fmt/format.h>

#include <utility>

namespace harambee::cli {
namespace {

constexpr int kLockTries = 100;
constexpr std::int64_t kLockWaitMs = 20;

// Only a cache: when another log answers at this address than before, it begins anew, and says so.
void put_aside(const std::filesystem::path& dir, const Error& error, Ui& ui) {
  std::error_code ignored;
  std::filesystem::path aside = dir.string() + ".before";
  std::filesystem::remove_all(aside, ignored);
  std::filesystem::rename(dir, aside, ignored);
  ui.note(fmt::format("another log answers here than before ({}); the old copy is in {}",
                      error.message, aside.string()));
}

Result<store::FileLock> lock(const std::filesystem::path& dir, Clock& clock) {
  if (Status made = store::make_folders(dir.string()); !made) return made.error();
  for (int tries = 0;; ++tries) {
    Result<store::FileLock> taken = store::FileLock::take((dir / "lock").string());
    if (taken || taken.error().code != ErrorCode::conflict || tries == kLockTries) return taken;
    if (!clock.wait_ms(kLockWaitMs)) return fail(ErrorCode::cancelled, "stopped");
  }
}

Status open_follower(Reading& reading, const node::FollowerOptions& options) {
  Result<std::unique_ptr<node::Follower>> follower =
      node::Follower::open(options, reading.wire.get());
  if (!follower) return follower.error();
  reading.follower = *std::move(follower);
  Result<std::uint64_t> news = reading.follower->follow();
  if (!news) return news.error();
  return ok();
}

}  // namespace

Result<Reading> read_run(const std::string& url, const Common& common, Ui& ui) {
  Result<node::RunAddress> address = node::parse_run_address(url);
  if (!address) return address.error();
  Reading reading;
  reading.address = *address;
  SystemClock clock;
  const std::filesystem::path& dir = reading.dir = cache_dir(common, address->hub);
  Result<store::FileLock> locked = lock(dir, clock);
  if (!locked) return wrap(locked.error(), dir.string());
  reading.lock.emplace(*std::move(locked));
  net::CurlOptions curl;
  curl.cancel = &stop_flag();
  reading.wire = std::make_unique<net::CurlWire>(curl);
  node::FollowerOptions follow{.hub_url = address->hub, .dir = dir / "log", .vkey = {}};
  follow.signatures = node::Signatures::of_new_entries;
  Status followed = open_follower(reading, follow);
  if (!followed && followed.error().code == ErrorCode::refused && !follow.vkey) {
    reading.follower.reset();
    put_aside(follow.dir, followed.error(), ui);
    followed = open_follower(reading, follow);
  }
  if (!followed) return followed.error();
  reading.run = reading.log().run_named(address->name);
  if (reading.run == nullptr) {
    std::string names;
    for (const auto& [name, id] : reading.log().names) names += (names.empty() ? "" : ", ") + name;
    return fail(ErrorCode::not_found,
                fmt::format("{} has no run \"{}\"; it has {}", address->hub, address->name,
                            names.empty() ? "none yet" : names));
  }
  return reading;
}

Exit reading_failed(const Error& error, Ui& ui) {
  if (error.code == ErrorCode::unavailable) {
    return ui.fail(error,
                   {"what was read before", "look whether the hub runs and the URL is right"});
  }
  if (error.code == ErrorCode::corrupt) {
    return ui.fail(error, {"the copy of the log and the evidence", "harambee verify URL"});
  }
  return ui.fail(error);
}

}  // namespace harambee::cli

#include "net/serve.h"

#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "hub/hub.h"
#include "hub/log_folder.h"
#include "hub/publication.h"
#include "hub/sequencer.h"
#include "log/checkpoint.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "port/clock.h"
#include "store/file.h"
#include "store/file_blobs.h"
#include "store/file_shelf.h"
#include "store/sqlite_order.h"
#include "store/sqlite_uploads.h"

namespace harambee::net {
namespace {

constexpr std::string_view kFormat = "harambee-hub 1\n";
constexpr std::uint64_t kSmallFileBytesMax = 64 * 1024;
constexpr std::int64_t kStopPollMs = 50;

class SystemClock : public Clock {
 public:
  std::int64_t unix_ms() const override { return ms_since_epoch(std::chrono::system_clock::now()); }
  std::int64_t steady_ms() const override {
    return ms_since_epoch(std::chrono::steady_clock::now());
  }
  bool wait_ms(std::int64_t ms) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    return true;
  }

 private:
  template <typename Time>
  static std::int64_t ms_since_epoch(Time time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  }
};

Status check_format(const std::string& dir) {
  const std::string path = dir + "/format";
  auto found = store::read_file(path, kSmallFileBytesMax);
  if (found) {
    if (text(*found) == kFormat) return ok();
    return invalid(dir + " is a data directory of another version: its file `format` is not \"" +
                   std::string(kFormat.substr(0, kFormat.size() - 1)) + "\"");
  }
  if (found.error().code != ErrorCode::not_found) return found.error();
  if (store::read_file(dir + "/hub.db", 0).error().code != ErrorCode::not_found) {
    return fail(ErrorCode::corrupt, dir + " holds a database but no file `format`");
  }
  return store::write_file_atomic(path, view(kFormat));
}

// Without the key of its birth a log cannot go on, so a new one is made only for a new log.
Result<SecretKey> hub_key(const HubServiceOptions& options, bool log_exists) {
  if (options.key) return *options.key;
  const std::string path = options.data_dir + "/key.pem";
  auto pem = store::read_file(path, kSmallFileBytesMax);
  if (pem) {
    auto key = SecretKey::from_pem(text(*pem));
    if (!key) return wrap(key.error(), path);
    return key;
  }
  if (pem.error().code != ErrorCode::not_found) return pem.error();
  if (log_exists) return fail(ErrorCode::not_found, path + " is missing, and this log needs it");
  const SecretKey key = SecretKey::generate();
  const std::string made = key.to_pem();
  if (auto kept = store::write_file_atomic(path, view(made), 0600); !kept) return kept.error();
  return key;
}

Result<std::string> hub_origin(const HubServiceOptions& options, const std::string& checkpoint,
                               const KeyId& key) {
  const std::string born = checkpoint.substr(0, checkpoint.find('\n'));
  if (born.empty()) {
    return options.origin.empty() ? "harambee/" + key.hex().substr(0, 16) : options.origin;
  }
  if (!options.origin.empty() && options.origin != born) {
    return invalid("the log in " + options.data_dir + " is " + born + ", not " + options.origin);
  }
  return born;
}

// What can be computed again: nothing of an earlier life is believed.
Result<std::unique_ptr<hub::BlobShelf>> empty_cache(const std::string& dir) {
  std::error_code error;
  std::filesystem::remove_all(dir, error);
  if (error) return fail(ErrorCode::io, dir + ": " + error.message());
  return store::open_file_blobs(dir);
}

// As many connections as the system lets this user have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace

Status run_hub(const HubServiceOptions& options, const std::atomic<bool>& stop,
               const std::function<void(const HubStarted&)>& started) {
  if (auto made = store::make_folders(options.data_dir); !made) return made;
  auto lock = store::FileLock::take(options.data_dir + "/lock");
  if (!lock) return lock.error();
  if (auto format = check_format(options.data_dir); !format) return format;
  auto order = store::open_sqlite_order(options.data_dir + "/hub.db");
  if (!order) return order.error();
  auto shelf = store::open_file_shelf(options.data_dir);
  if (!shelf) return shelf.error();
  auto blobs = store::open_file_blobs(options.data_dir);
  if (!blobs) return blobs.error();
  auto uploads = store::open_sqlite_uploads(options.data_dir + "/uploads.db");
  if (!uploads) return uploads.error();
  auto head = (*order)->head();
  if (!head) return head.error();
  auto key = hub_key(options, head->size > 0);
  if (!key) return key.error();
  auto origin = hub_origin(options, head->checkpoint, key->id());
  if (!origin) return origin.error();

  raise_descriptor_limit();
  SystemClock clock;
  hub::SequencerOptions sequencing;
  sequencing.origin = *origin;
  sequencing.tick_ms = options.tick_ms;
  sequencing.batch_ms = options.batch_ms;
  auto sequencer = hub::Sequencer::open(sequencing, *key, **order, **shelf, clock);
  if (!sequencer) return sequencer.error();

  // Destroyed last of the three: sequencer and handler wake it.
  std::unique_ptr<HttpServer> server;
  const auto wake = [&server] { server->wake(); };
  hub::LogFolder folder(**sequencer);
  auto computed = empty_cache(options.data_dir + "/cache");
  if (!computed) return computed.error();
  hub::HubOptions hub_options;
  hub_options.folder = &folder;
  hub_options.pace = options.pace;
  hub_options.clock = &clock;
  hub_options.hugging_face.weights_shelf = computed->get();
  hub_options.hugging_face.make_weights = options.make_weights;
  hub_options.hugging_face.clock = &clock;
  hub_options.hugging_face.ledger = uploads->get();
  hub_options.hugging_face.uploads.owner_bytes_max = options.owner_bytes_max;
  CurlOptions curl;
  curl.cancel = &stop;
  CurlWire models(curl);
  if (!options.completions.empty()) {
    hub_options.try_model.wire = &models;
    hub_options.try_model.url = options.completions;
    hub_options.try_model.clock = &clock;
  }
  hub_options.vkey = log::VerifierKey{*origin, log::NoteKeyType::ed25519, key->public_key()}.str();
  const auto handler = hub::make_hub(hub_options, **sequencer, **order, **shelf, **blobs, wake);
  HttpServerOptions listening;
  listening.address = options.address;
  listening.port = options.port;
  auto listener = HttpServer::listen(listening, *handler);
  if (!listener) return listener.error();
  server = *std::move(listener);

  (*sequencer)->on_change([&] {
    wake();
    folder.notify();
  });
  (*sequencer)->start();
  folder.start(wake);
  // A signal handler can set a flag and no more; somebody has to look at it.
  std::atomic<bool> ended{false};
  std::thread watcher([&] {
    while (!stop && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(kStopPollMs));
    server->stop();
  });
  if (started) {
    started({server->port(), *origin, hub_options.vkey, (*sequencer)->head()->size,
             (*sequencer)->damage()});
  }
  server->run();
  ended = true;
  watcher.join();
  (*sequencer)->stop();
  folder.stop();
  return ok();
}

}  // namespace harambee::net

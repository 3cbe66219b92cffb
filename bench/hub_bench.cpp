// What one hub carries: records sequenced durably, and reads over HTTP. Both ends run on this
// machine, so the HTTP figures are lower bounds.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "base/encoding.h"
#include "hub/sequencer.h"
#include "net/http_client.h"
#include "net/serve.h"
#include "record/build.h"
#include "store/file_shelf.h"
#include "store/sqlite_order.h"

namespace {

using namespace harambee;

constexpr const char* kOrigin = "bench.example/log";

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hub-bench-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

// Somebody who has signed much in advance: about 1.1 KB a record, as contributions have.
std::vector<Bytes> chain(std::uint8_t author, std::size_t count) {
  const SecretKey key = SecretKey::from_seed({author});
  std::vector<Bytes> records;
  Payload payload;
  payload.log = kOrigin;
  payload.kind = "identity";
  payload.author = key.id();
  payload.body = JsonObject{{"key", hex(key.public_key().bytes)}};
  while (records.size() < count) {
    records.push_back(*sign_record(payload, key));
    payload.prev = parse_envelope(records.back())->id();
    ++payload.seq;
    payload.kind = "note";
    payload.body = JsonObject{{"text", std::string(300, 'x')}};
    payload.blobs = {{*payload.prev, payload.seq, "application/octet-stream"}};
  }
  return records;
}

class SteadyClock : public Clock {
 public:
  std::int64_t unix_ms() const override { return now(std::chrono::system_clock::now()); }
  std::int64_t steady_ms() const override { return now(std::chrono::steady_clock::now()); }
  bool wait_ms(std::int64_t) override { return false; }

 private:
  template <typename Time>
  static std::int64_t now(Time time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  }
};

// Checked, staged, committed, published as tiles, all synced to disk, in batches of `range`
// records.
void sequence_durably(benchmark::State& state) {
  const Folder folder;
  auto order = *store::open_sqlite_order(folder.path + "/hub.db");
  auto shelf = *store::open_file_shelf(folder.path);
  SteadyClock clock;
  hub::SequencerOptions options;
  options.origin = kOrigin;
  options.outstanding_max = 1u << 20;
  auto sequencer =
      *hub::Sequencer::open(options, SecretKey::from_seed({200}), *order, *shelf, clock);
  const auto batch = static_cast<std::size_t>(state.range(0));
  const std::size_t batches = std::max<std::size_t>(20, 8192 / batch);
  const auto records = chain(1, batch * batches);
  std::size_t next = 0;
  for (auto _ : state) {
    if (next + batch > records.size()) {
      state.SkipWithError("out of records");
      break;
    }
    for (std::size_t i = 0; i < batch; ++i) {
      benchmark::DoNotOptimize(sequencer->submit(records[next++]));
    }
    sequencer->run_batch();
  }
  if (sequencer->head()->size < next) state.SkipWithError("records were refused");
  state.SetItemsProcessed(static_cast<std::int64_t>(next));
}
BENCHMARK(sequence_durably)->Arg(1)->Iterations(200)->UseRealTime();
BENCHMARK(sequence_durably)->Arg(64)->Iterations(100)->UseRealTime();
BENCHMARK(sequence_durably)->Arg(1024)->Iterations(20)->UseRealTime();

// A whole hub on a thread, with 600 records.
class RunningHub {
 public:
  RunningHub() {
    std::promise<net::HubStarted> started;
    auto ready = started.get_future();
    thread_ = std::thread([this, &started] {
      net::HubServiceOptions options;
      options.data_dir = folder_.path;
      options.origin = kOrigin;
      options.batch_ms = 5;
      auto ended = net::run_hub(options, stop_,
                                [&](const net::HubStarted& facts) { started.set_value(facts); });
      HARAMBEE_CHECK(ended.ok());
    });
    port = ready.get().port;
    net::CurlWire wire;
    std::vector<std::thread> people;
    for (std::uint8_t person = 1; person <= 20; ++person) {
      people.emplace_back([&, person] {
        for (const Bytes& record : chain(person, 30)) {
          WireRequest request;
          request.method = "POST";
          request.url = url("/records");
          request.body = record;
          HARAMBEE_CHECK(wire.exchange(request)->status == 200);
        }
      });
    }
    for (auto& person : people) person.join();
  }
  ~RunningHub() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port) + path;
  }
  std::uint16_t port = 0;

 private:
  Folder folder_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

RunningHub& running_hub() {
  static RunningHub hub;
  return hub;
}

// The same question again and again over one connection, 32 on the way at a time.
void ask_pipelined(benchmark::State& state, const std::string& path) {
  const RunningHub& hub = running_hub();
  const int peer = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(hub.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  HARAMBEE_CHECK(::connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  constexpr int kDepth = 32;
  const std::string question = "GET " + path + " HTTP/1.1\r\nHost: bench\r\n\r\n";
  std::string questions;
  for (int i = 0; i < kDepth; ++i) questions += question;

  net::CurlWire wire;
  WireRequest request;
  request.url = hub.url(path);
  const auto answer = wire.exchange(request);
  HARAMBEE_CHECK(answer->status == 200);
  const std::size_t answer_bytes = wire.traffic().received_bytes;
  std::string buffer(1 << 20, '\0');
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    HARAMBEE_CHECK(::send(peer, questions.data(), questions.size(), 0) ==
                   static_cast<ssize_t>(questions.size()));
    for (std::size_t left = answer_bytes * kDepth; left > 0;) {
      const ssize_t n = ::recv(peer, buffer.data(), std::min(buffer.size(), left), 0);
      HARAMBEE_CHECK(n > 0);
      left -= static_cast<std::size_t>(n);
      bytes += static_cast<std::uint64_t>(n);
    }
  }
  ::close(peer);
  state.SetItemsProcessed(state.iterations() * kDepth);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void get_checkpoint(benchmark::State& state) { ask_pipelined(state, "/checkpoint"); }
void get_full_tile(benchmark::State& state) { ask_pipelined(state, "/tile/0/000"); }
void get_full_bundle(benchmark::State& state) { ask_pipelined(state, "/tile/entries/001"); }
void follow_log_from_start(benchmark::State& state) { ask_pipelined(state, "/log?from=0"); }
void follow_log_at_end(benchmark::State& state) { ask_pipelined(state, "/log?from=600"); }
BENCHMARK(get_checkpoint)->UseRealTime();
BENCHMARK(get_full_tile)->UseRealTime();
BENCHMARK(get_full_bundle)->UseRealTime();
BENCHMARK(follow_log_from_start)->UseRealTime();
BENCHMARK(follow_log_at_end)->UseRealTime();

// One question at a time through our own client: what a member of a run sees.
void round_trip(benchmark::State& state) {
  const RunningHub& hub = running_hub();
  net::CurlWire wire;
  WireRequest request;
  request.url = hub.url("/checkpoint");
  for (auto _ : state) HARAMBEE_CHECK(wire.exchange(request)->status == 200);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(round_trip)->UseRealTime();

}  // namespace

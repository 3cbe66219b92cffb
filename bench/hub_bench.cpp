// What one hub carries: records sequenced durably, and reads over HTTP. Both ends run on this
// machine, so the HTTP figures are lower bounds.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "bench/hub_fixture.h"
#include "hub/sequencer.h"
#include "store/file_shelf.h"
#include "store/sqlite_order.h"

namespace {

using namespace harambee;

using bench::chain;
using bench::Folder;
using bench::kOrigin;
using bench::RunningHub;

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

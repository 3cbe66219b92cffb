// The dashboard over a large log: 100,000 entries, 1,000 peers in one run. What a hub pays to read
// its log at the start, and what a person waits for the first page, over HTTP on loopback.
#include <benchmark/benchmark.h>

#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "bench/large_log.h"
#include "hub/dashboard.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "store/memory_order.h"

namespace {

using namespace harambee;
using namespace harambee::bench;

// From the entries' bytes, as a hub does at its start.
void read_log_at_start(benchmark::State& bench) {
  GivenLog log;
  for (auto _ : bench) {
    hub::LogFolder folder(log);
    folder.catch_up();
    HARAMBEE_CHECK(folder.ready() && !folder.trouble());
  }
  bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(kEntries));
}
BENCHMARK(read_log_at_start)->Unit(benchmark::kMillisecond)->Iterations(1);

class Handler : public hub::HttpHandler {
 public:
  Handler() { folder_.catch_up(); }
  hub::BodyPlan plan(const hub::HttpRequest&) override { return {}; }
  hub::HttpResponse handle(const hub::HttpRequest& request) override {
    // A new one each time: nothing comes out of the cache.
    hub::Dashboard fresh(folder_, log_, *order_, "vkey");
    auto answer = fresh.get(request);
    return answer ? *std::move(answer) : hub::HttpResponse::error(404, "not here");
  }

 private:
  GivenLog log_;
  hub::LogFolder folder_{log_};
  std::unique_ptr<hub::Order> order_ = store::make_memory_order();
};

// One view, computed and fetched.
void fetch(benchmark::State& bench, const std::string& path, const std::string& accept) {
  static Handler handler;
  auto server = *net::HttpServer::listen({}, handler);
  std::thread thread([&] { server->run(100); });
  net::CurlWire wire;
  std::size_t bytes = 0;
  for (auto _ : bench) {
    WireRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server->port()) + path;
    request.headers = {{"accept", accept}};
    const auto answer = wire.exchange(request);
    HARAMBEE_CHECK(answer && answer->status == 200);
    bytes = answer->body.size();
  }
  bench.counters["bytes"] = static_cast<double>(bytes);
  server->stop();
  thread.join();
}
BENCHMARK_CAPTURE(fetch, page_map, "/", "text/html")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fetch, view_map, "/view/map", "*/*")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fetch, view_run, "/view/runs/bench", "*/*")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fetch, view_members, "/view/runs/bench/members?count=200&sort=credit", "*/*")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fetch, view_round, "/view/runs/bench/rounds/5", "*/*")
    ->Unit(benchmark::kMillisecond);

}  // namespace

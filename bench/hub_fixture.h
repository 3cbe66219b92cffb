// A whole hub in the benchmark's process, and people who have signed much in advance.
#pragma once

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/encoding.h"
#include "net/http_client.h"
#include "net/serve.h"
#include "record/build.h"

namespace harambee::bench {

inline constexpr const char* kOrigin = "bench.example/log";

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
inline std::vector<Bytes> chain(std::uint8_t author, std::size_t count) {
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

}  // namespace harambee::bench

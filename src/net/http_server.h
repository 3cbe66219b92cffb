// HTTP/1.1 over TCP: bytes to hub/http.h values and back. Asio carries them, Beast parses them;
// plain callbacks, because GCC 12 miscompiles some coroutines.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "hub/http.h"

namespace harambee::net {

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                      // 0: any free one
  std::uint32_t connections_max = 4096;        // more are answered 503 and closed
  std::uint32_t header_bytes_max = 16u << 10;  // 431
  std::int64_t header_ms_max = 15'000;  // from the first byte of a request to its last header
  std::int64_t idle_ms_max = 75'000;    // between requests
  std::int64_t stall_ms_max = 60'000;   // without one byte of progress in a body
};

class HttpServer {
 public:
  // Bound and listening when it returns. conflict: the address is in use.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(const HttpServerOptions& options,
                                                                  hub::HttpHandler& handler);
  virtual ~HttpServer() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  // Serves on the calling thread until stop(); then no new requests are read, answers that are
  // being sent are finished (for at most grace_ms), waiting ones are asked a last time.
  virtual void run(std::int64_t grace_ms = 2000) = 0;
  virtual void stop() = 0;  // from any thread or a signal-driven one (not from a signal handler)
  virtual void wake() = 0;  // from any thread: ask all waiting answers again
};

}  // namespace harambee::net

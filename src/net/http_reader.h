// From bytes to hub::HttpRequest with Beast's parser. Needs no socket, so that the fuzzer can have
// it. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "hub/http.h"

namespace harambee::net {

// One request. Construct a new one for the next request of the connection.
class RequestReader {
 public:
  // `remote`: the numeric address at the other end, for HttpRequest::remote.
  explicit RequestReader(std::uint32_t header_bytes_max, std::string remote = {});
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  // Takes bytes up to the end of the head, never beyond it. Returns how many were taken: offer the
  // rest again, with more behind it, until head_done(). limit: the head is too long; invalid: it
  // is no HTTP/1.x request.
  [[nodiscard]] Result<std::size_t> read_head(View bytes);
  [[nodiscard]] bool head_done() const;
  // Valid once head_done().
  [[nodiscard]] const hub::HttpRequest& head() const;
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] bool expects_continue() const;

  // Appends body bytes (chunk framing removed) to `out`, at most 64 KiB a call.
  [[nodiscard]] Result<std::size_t> read_body(View bytes, Bytes& out);
  // The whole request was read.
  [[nodiscard]] bool done() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harambee::net

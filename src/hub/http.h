// HTTP as values: what was asked and what is answered. The hub turns one into the other and never
// sees a socket; net/ carries the bytes; tests and the fuzzer call the hub directly.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::hub {

struct HttpRequest {
  std::string method;
  std::string target;  // as sent: path and query, not decoded
  // Names in lower case; a repeated field appears once per line that was sent.
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::uint64_t> content_length;
  std::string remote;  // the sender's numeric address; empty: not known
  Bytes body;          // empty when a sink took it

  // The first field of that name (lower case), or null.
  [[nodiscard]] const std::string* header(std::string_view name) const;
  [[nodiscard]] std::string_view path() const;  // target up to '?'
  // The value of a query parameter, not decoded (ours are numbers).
  [[nodiscard]] std::optional<std::string_view> query(std::string_view name) const;
};

// A part of a file, sent without passing through memory. The file is opened when the answer is
// made, so that a later rename or deletion cannot change what is sent.
class OpenFile {
 public:
  [[nodiscard]] static Result<std::shared_ptr<OpenFile>> open(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  OpenFile(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  int descriptor_;
  std::uint64_t size_;
};

struct FilePart {
  std::shared_ptr<OpenFile> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct HttpResponse;

// "Not yet": the server keeps the connection and asks again whenever it is woken
// (HttpServer::wake) and once more, with `last` true, when ms_max have passed; the answer to that
// one must be there.
struct Wait {
  std::function<std::optional<HttpResponse>(bool last)> again;
  std::int64_t ms_max = 0;
  bool long_poll = false;  // nothing is lost when the server ends it early to stop
};

// An answer without an end, for server-sent events. The server sends what `next` gives; when that
// has left and the server is woken, it asks again. So a slow reader costs one piece, never a
// queue, and `next` says everything that has happened since the piece before.
struct Stream {
  // Empty: nothing new. `beat`: nothing was sent for beat_ms; an empty answer then ends the stream.
  std::function<std::string(bool beat)> next;
  std::int64_t beat_ms = 0;
  std::int64_t ms_max = 0;  // the stream ends then; the reader may ask again
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // Content-Length is the server's work
  // HEAD: as for GET; the server leaves it out.
  std::variant<std::string, FilePart, Wait, Stream> body;
  bool close = false;  // end the connection after this answer

  [[nodiscard]] static HttpResponse text(int status, std::string body,
                                         std::string type = "text/plain; charset=utf-8");
  [[nodiscard]] static HttpResponse json(int status, std::string body);
  // {"error":message}
  [[nodiscard]] static HttpResponse error(int status, std::string_view message);
};

// Where a large body goes while it arrives. Destroyed without finish(): the sender went away, and
// what was written so far may be resumed.
class BodySink {
 public:
  virtual ~BodySink() = default;
  [[nodiscard]] virtual Status write(View bytes) = 0;
  [[nodiscard]] virtual HttpResponse finish() = 0;  // all announced bytes were written
  [[nodiscard]] virtual HttpResponse failed(const Error& error) = 0;  // after write() refused
};

// How the body of a request is to be taken, decided on its headers.
struct BodyPlan {
  std::uint64_t bytes_max = 0;          // kept in memory; more is answered 413
  std::shared_ptr<BodySink> sink;       // or streamed
  std::optional<HttpResponse> refusal;  // or answered at once
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Both are called from the server's one I/O thread and must not block for long.
  [[nodiscard]] virtual BodyPlan plan(const HttpRequest& head) = 0;
  [[nodiscard]] virtual HttpResponse handle(const HttpRequest& request) = 0;
};

}  // namespace harambee::hub

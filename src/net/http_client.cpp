#include "net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <vector>

namespace harambee::net {
namespace {

void curl_init_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// What the callbacks of one exchange share.
struct Exchange {
  WireResponse response;
  std::uint64_t bytes_max = 0;
  bool too_large = false;
  std::uint64_t bytes = 0;  // of the body so far
  const std::function<bool(int, View)>* on_part = nullptr;
  CURL* handle = nullptr;
  bool left = false;
  const std::atomic<bool>* cancel = nullptr;
  std::atomic<std::uint64_t>* sent = nullptr;
  std::atomic<std::uint64_t>* received = nullptr;
};

std::string_view trim(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::size_t on_header(char* data, std::size_t, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, count);
  // Another answer begins (100 Continue came before it).
  if (line.starts_with("HTTP/")) exchange.response.headers.clear();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  exchange.response.headers[std::move(name)] = std::string(trim(line.substr(colon + 1)));
  return count;
}

std::size_t on_body(char* data, std::size_t, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  auto& body = exchange.response.body;
  exchange.bytes += count;
  if (exchange.bytes > exchange.bytes_max) {
    exchange.too_large = true;
    return 0;
  }
  if (*exchange.on_part) {
    long status = 0;
    curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
    const View part(reinterpret_cast<const std::uint8_t*>(data), count);
    exchange.left = !(*exchange.on_part)(static_cast<int>(status), part);
    return exchange.left ? 0 : count;
  }
  body.insert(body.end(), data, data + count);
  return count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& exchange = *static_cast<Exchange*>(user);
  return exchange.cancel != nullptr && exchange.cancel->load(std::memory_order_relaxed) ? 1 : 0;
}

// Counted as they pass, so that exchanges that fail halfway count too. (CURLINFO_REQUEST_SIZE
// contains parts of small bodies, which CURLINFO_SIZE_UPLOAD counts once more.)
int on_debug(CURL*, curl_infotype type, char*, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT) *exchange.sent += count;
  if (type == CURLINFO_HEADER_IN || type == CURLINFO_DATA_IN) *exchange.received += count;
  return 0;
}

Error explain(CURLcode code, const Exchange& exchange, const std::string& url, const char* detail) {
  if (exchange.too_large) {
    return fail(ErrorCode::limit,
                url + " answered more than " + std::to_string(exchange.bytes_max) + " bytes");
  }
  const std::string reason = url + ": " + (*detail != '\0' ? detail : curl_easy_strerror(code));
  if (exchange.left) return fail(ErrorCode::cancelled, url + ": nobody waits any more");
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return fail(ErrorCode::cancelled, url + ": stopped");
    // An unsupported protocol is the answer's here (HTTP/0.9), not the address's.
    case CURLE_URL_MALFORMAT:
      return invalid(reason);
    default:
      return fail(ErrorCode::unavailable, reason);
  }
}

struct HeaderList {
  curl_slist* list = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

void add_headers(HeaderList& out, const WireRequest& request) {
  // Without a value curl leaves its own default away: form data, which we never send.
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    typed = typed || name == "content-type" || name == "Content-Type";
    // A field without a value is written with a semicolon.
    out.add(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!typed) out.add("Content-Type:");
}

bool is_http(std::string_view url) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::string scheme(url.substr(0, 8));
  std::ranges::transform(scheme, scheme.begin(), lower);
  return scheme.starts_with("http://") || scheme == "https://";
}

bool has_line_break(const WireRequest& request) {
  const auto broken = [](const std::string& text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
  };
  return broken(request.method) || broken(request.url) ||
         std::ranges::any_of(request.headers, [&](const auto& field) {
           return broken(field.first) || broken(field.second);
         });
}

}  // namespace

struct CurlWire::State {
  CurlOptions options;
  std::mutex mutex;
  std::vector<CURL*> idle;
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> received{0};

  ~State() {
    for (CURL* handle : idle) curl_easy_cleanup(handle);
  }

  // The one used last: its connection is the most likely to be open.
  CURL* take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return curl_easy_init();
    CURL* handle = idle.back();
    idle.pop_back();
    return handle;
  }

  void give_back(CURL* handle) {
    curl_easy_reset(handle);  // keeps connections
    const std::lock_guard lock(mutex);
    idle.push_back(handle);
  }
};

CurlWire::CurlWire(CurlOptions options) : state_(std::make_unique<State>()) {
  curl_init_once();
  state_->options = std::move(options);
}

CurlWire::~CurlWire() = default;

Result<WireResponse> CurlWire::exchange(const WireRequest& request) {
  if (!is_http(request.url)) return invalid("\"" + request.url + "\" is no http or https address");
  if (has_line_break(request)) return invalid("a line break in a request to " + request.url);
  const auto* cancel = state_->options.cancel;
  if (cancel != nullptr && cancel->load()) {
    return fail(ErrorCode::cancelled, request.url + ": stopped");
  }
  CURL* handle = state_->take();
  if (handle == nullptr) return fail(ErrorCode::io, "curl does not start");

  Exchange exchange;
  exchange.bytes_max = request.response_bytes_max;
  exchange.on_part = &request.on_part;
  exchange.handle = handle;
  exchange.cancel = state_->options.cancel;
  exchange.sent = &state_->sent;
  exchange.received = &state_->received;
  HeaderList headers;
  add_headers(headers, request);
  std::array<char, CURL_ERROR_SIZE> detail{};

  const auto set = [handle](auto option, auto value) { curl_easy_setopt(handle, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(state_->options.connect_ms_max));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  set(CURLOPT_USERAGENT, state_->options.user_agent.c_str());
  set(CURLOPT_HTTPHEADER, headers.list);
  set(CURLOPT_ERRORBUFFER, detail.data());
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, &exchange);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_DEBUGFUNCTION, on_debug);
  set(CURLOPT_DEBUGDATA, &exchange);
  set(CURLOPT_VERBOSE, 1L);
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" || !request.body.empty()) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS,
        request.body.empty() ? "" : reinterpret_cast<const char*>(request.body.data()));
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  state_->give_back(handle);
  if (code != CURLE_OK) return explain(code, exchange, request.url, detail.data());
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

Traffic CurlWire::traffic() const { return {state_->sent.load(), state_->received.load()}; }

}  // namespace harambee::net

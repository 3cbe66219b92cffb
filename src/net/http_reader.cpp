#include "net/http_reader.h"

#include <utility>  // before Asio: Boost 1.74 forgets it

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

namespace harambee::net {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t kBodyStepBytes = 64 * 1024;
constexpr std::size_t kHeaderFieldsMax = 64;

std::string lower(boost::beast::string_view text) {
  std::string out(text.data(), text.size());
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string plain(boost::beast::string_view text) { return {text.data(), text.size()}; }

Error refusal(const boost::system::error_code& error) {
  if (error == http::error::header_limit || error == http::error::body_limit) {
    return fail(ErrorCode::limit, "the request's head is too long");
  }
  return invalid("not an HTTP request: " + error.message());
}

}  // namespace

struct RequestReader::State {
  http::request_parser<http::buffer_body> parser;
  hub::HttpRequest head;
  bool keep_alive = false;
  bool expects_continue = false;
};

RequestReader::RequestReader(std::uint32_t header_bytes_max, std::string remote)
    : state_(std::make_unique<State>()) {
  state_->head.remote = std::move(remote);
  state_->parser.header_limit(header_bytes_max);
  // Not boost::none: Boost 1.74 then refuses every body with a length. Our callers limit bodies.
  state_->parser.body_limit(std::numeric_limits<std::uint64_t>::max());
}

RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

Result<std::size_t> RequestReader::read_head(View bytes) {
  auto& parser = state_->parser;
  boost::system::error_code error;
  const std::size_t taken = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more) return refusal(error);
  if (!parser.is_header_done()) return taken;

  const auto& message = parser.get();
  auto& head = state_->head;
  head.method = plain(message.method_string());
  head.target = plain(message.target());
  for (const auto& field : message) {
    if (head.headers.size() == kHeaderFieldsMax) {
      return fail(ErrorCode::limit, "too many header fields");
    }
    head.headers.emplace_back(lower(field.name_string()), plain(field.value()));
  }
  if (const auto length = parser.content_length()) head.content_length = *length;
  state_->keep_alive = parser.keep_alive();
  const std::string* expect = head.header("expect");
  state_->expects_continue = expect != nullptr && lower(*expect) == "100-continue";
  return taken;
}

bool RequestReader::head_done() const { return state_->parser.is_header_done(); }
const hub::HttpRequest& RequestReader::head() const { return state_->head; }
bool RequestReader::keep_alive() const { return state_->keep_alive; }
bool RequestReader::expects_continue() const { return state_->expects_continue; }
bool RequestReader::done() const { return state_->parser.is_done(); }

Result<std::size_t> RequestReader::read_body(View bytes, Bytes& out) {
  auto& parser = state_->parser;
  const std::size_t before = out.size();
  out.resize(before + kBodyStepBytes);
  auto& body = parser.get().body();
  body.data = out.data() + before;
  body.size = kBodyStepBytes;
  body.more = true;
  boost::system::error_code error;
  const std::size_t taken = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  out.resize(before + kBodyStepBytes - body.size);
  body.data = nullptr;
  body.size = 0;
  if (error && error != http::error::need_more && error != http::error::need_buffer) {
    return refusal(error);
  }
  return taken;
}

}  // namespace harambee::net

#include "net/http_connection.h"

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "net/http_text.h"

namespace harambee::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using hub::HttpResponse;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// A file part up to this size goes out with its head in one write.
constexpr std::uint64_t kInlineFileBytesMax = 32 * 1024;
constexpr std::size_t kSendfileBytes = 1 << 20;
// After a refusal the peer may still be sending; reading on for a while lets it see the answer.
constexpr std::int64_t kLingerMs = 2000;

}  // namespace

Connection::Connection(Connections& server, tcp::socket socket)
    : server_(server),
      socket_(std::move(socket)),
      timer_(server.io),
      deadline_(Clock::time_point::max()),
      reader_(server.options.header_bytes_max) {}

void Connection::start() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  const auto peer = socket_.remote_endpoint(ignored);
  if (!ignored) remote_ = peer.address().to_string();
  next_request();
}

void Connection::start_refused(HttpResponse refusal) {
  deadline(kLingerMs);
  last_ = true;
  unread_body_ = true;
  respond(std::move(refusal));
}

void Connection::next_request() {
  if (server_.stopping) return close();
  phase_ = Phase::idle;
  reader_ = RequestReader(server_.options.header_bytes_max, remote_);
  body_.clear();
  body_.shrink_to_fit();
  sink_ = nullptr;
  wait_.reset();
  unread_body_ = false;
  deadline(server_.options.idle_ms_max);
  process();
}

void Connection::process() {
  if (phase_ == Phase::idle && in_begin_ < in_end_) {
    phase_ = Phase::head;
    deadline(server_.options.header_ms_max);
  }
  if (phase_ == Phase::head) process_head();
  if (phase_ == Phase::body) process_body();
  if (phase_ == Phase::idle || phase_ == Phase::head || phase_ == Phase::body) {
    if (input_ended_) return close();
    read_more();
  }
}

void Connection::process_head() {
  const View rest(in_.data() + in_begin_, in_end_ - in_begin_);
  auto taken = reader_.read_head(rest);
  if (!taken) {
    return refuse(taken.error().code == ErrorCode::limit ? 431 : 400, taken.error().message);
  }
  in_begin_ += *taken;
  if (!reader_.head_done()) return;
  head_only_ = reader_.head().method == "HEAD";
  last_ = !reader_.keep_alive() || server_.stopping;
  accept_plan(server_.handler.plan(reader_.head()));
}

void Connection::accept_plan(hub::BodyPlan plan) {
  const auto& length = reader_.head().content_length;
  if (!plan.refusal && !plan.sink && length && *length > plan.bytes_max) {
    plan.refusal = HttpResponse::error(
        413, "the body has more than " + std::to_string(plan.bytes_max) + " bytes");
  }
  if (plan.refusal) {
    if (!reader_.done()) {
      // Nobody wants the body, so this connection cannot be used any further.
      unread_body_ = true;
      last_ = true;
    }
    return respond(std::move(*plan.refusal));
  }
  sink_ = std::move(plan.sink);
  body_bytes_max_ = plan.bytes_max;
  phase_ = Phase::body;
  deadline(server_.options.stall_ms_max);
  if (reader_.done()) return body_complete();
  if (reader_.expects_continue()) {
    // 25 bytes into an empty send buffer; if they do not fit, the peer goes on after a second.
    error_code ignored;
    socket_.write_some(asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25), ignored);
  }
}

void Connection::process_body() {
  while (phase_ == Phase::body && !reader_.done() && in_begin_ < in_end_) {
    const View rest(in_.data() + in_begin_, in_end_ - in_begin_);
    auto taken = reader_.read_body(rest, body_);
    if (!taken) return refuse(400, taken.error().message);
    in_begin_ += *taken;
    if (sink_) {
      if (auto status = sink_->write(body_); !status) {
        last_ = unread_body_ = true;
        return respond(sink_->failed(status.error()));
      }
      body_.clear();
    } else if (body_.size() > body_bytes_max_) {
      return refuse(413, "the body has more than " + std::to_string(body_bytes_max_) + " bytes");
    }
    if (*taken == 0 && !reader_.done()) break;
  }
  if (phase_ == Phase::body && reader_.done()) body_complete();
}

void Connection::body_complete() {
  if (sink_) {
    auto sink = std::move(sink_);
    return respond(sink->finish());
  }
  hub::HttpRequest request = reader_.head();
  request.body = std::move(body_);
  body_ = {};
  respond(server_.handler.handle(request));
}

void Connection::read_more() {
  if (reading_ || input_ended_ || phase_ == Phase::closed) return;
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  if (in_begin_ > 0) {
    std::copy(in_.begin() + static_cast<std::ptrdiff_t>(in_begin_),
              in_.begin() + static_cast<std::ptrdiff_t>(in_end_), in_.begin());
    in_end_ -= in_begin_;
    in_begin_ = 0;
  }
  // A head never needs more than its limit and a body is taken at once; while an answer is made,
  // pipelined requests wait in here and then in the kernel.
  if (in_.size() < kReadBytes) in_.resize(kReadBytes);
  if (in_end_ == in_.size()) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(in_.data() + in_end_, in_.size() - in_end_),
                          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                            self->on_read(error, bytes);
                          });
}

void Connection::on_read(const error_code& error, std::size_t bytes) {
  reading_ = false;
  if (phase_ == Phase::closed) return;
  if (error) {
    if (error == asio::error::eof) return on_end_of_input();
    return close();
  }
  if (phase_ == Phase::lingering) {
    in_begin_ = in_end_ = 0;
    return read_more();
  }
  in_end_ += bytes;
  if (phase_ == Phase::body) deadline(server_.options.stall_ms_max);
  if (phase_ == Phase::waiting) return read_more();
  if (phase_ == Phase::streaming) {
    in_begin_ = in_end_ = 0;  // nothing more is answered on this connection
    return read_more();
  }
  if (phase_ != Phase::writing) process();
}

// The peer sends no more, but may still listen.
void Connection::on_end_of_input() {
  input_ended_ = true;
  if (phase_ != Phase::waiting && phase_ != Phase::writing) close();
}

void Connection::respond(HttpResponse response) {
  if (phase_ == Phase::closed) return;
  if (std::holds_alternative<hub::Stream>(response.body)) {
    if (!head_only_) return begin_stream(std::move(response));
    response.body = std::string();
  }
  if (auto* wait = std::get_if<hub::Wait>(&response.body)) {
    wait_ = std::move(*wait);
    phase_ = Phase::waiting;
    server_.waiting.insert(shared_from_this());
    deadline(wait_->ms_max);
    poll();
    // Reading on tells us when the peer has gone.
    if (phase_ == Phase::waiting) {
      if (server_.stopping && wait_->long_poll) return end_wait();
      read_more();
    }
    return;
  }
  phase_ = Phase::writing;
  last_ = last_ || response.close || input_ended_ || server_.stopping;
  deadline(server_.options.stall_ms_max);
  file_ = {};
  std::uint64_t length = 0;
  std::string inline_body;
  if (auto* text = std::get_if<std::string>(&response.body)) {
    length = text->size();
    inline_body = std::move(*text);
  } else {
    file_ = std::move(std::get<hub::FilePart>(response.body));
    length = file_.length;
    if (!head_only_ && length <= kInlineFileBytesMax) {
      inline_body.resize(length);
      const ssize_t n = ::pread(file_.file->descriptor(), inline_body.data(), length,
                                static_cast<off_t>(file_.offset));
      if (n != static_cast<ssize_t>(length)) return close();
      file_ = {};
    }
  }
  out_ = response_head(response, length, last_, server_.date());
  if (head_only_) {
    file_ = {};
  } else {
    out_ += inline_body;
  }
  write_text();
}

void Connection::begin_stream(HttpResponse response) {
  if (server_.stopping || input_ended_) return close();
  last_ = true;
  out_ = response_head(response, std::nullopt, true, server_.date());
  stream_ = std::move(std::get<hub::Stream>(response.body));
  stream_end_ = Clock::now() + std::chrono::milliseconds(stream_->ms_max);
  phase_ = Phase::streaming;
  server_.waiting.insert(shared_from_this());
  send_piece();
  read_more();  // tells us when the peer has gone
}

// Asks for the next piece and sends it, unless the one before has not left yet.
void Connection::stream_more(bool beat) {
  if (sending_piece_) return;
  if (Clock::now() >= stream_end_) return close();
  out_ = stream_->next(beat);
  if (!out_.empty()) return send_piece();
  if (beat) close();
}

void Connection::send_piece() {
  sending_piece_ = true;
  deadline(server_.options.stall_ms_max);
  asio::async_write(socket_, asio::buffer(out_),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (error) return self->close();
                      if (self->phase_ != Phase::streaming) return;
                      self->sending_piece_ = false;
                      self->deadline(self->stream_->beat_ms);
                      self->stream_more(false);
                    });
}

void Connection::poll() {
  if (phase_ == Phase::streaming) return stream_more(false);
  if (phase_ != Phase::waiting) return;
  if (auto answer = wait_->again(false)) leave_wait(std::move(*answer));
}

void Connection::end_wait() {
  if (phase_ != Phase::waiting) return;
  auto answer = wait_->again(true);
  leave_wait(answer ? std::move(*answer) : HttpResponse::error(503, "no answer in time"));
}

void Connection::leave_wait(HttpResponse answer) {
  server_.waiting.erase(shared_from_this());
  wait_.reset();
  respond(std::move(answer));
}

void Connection::write_text() {
  asio::async_write(socket_, asio::buffer(out_),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (error) return self->close();
                      if (self->file_.file) return self->send_some();
                      self->written();
                    });
}

void Connection::send_some() {
  if (phase_ != Phase::writing) return;
  while (file_.length > 0) {
    off_t offset = static_cast<off_t>(file_.offset);
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(file_.length, kSendfileBytes));
    const ssize_t n = ::sendfile(socket_.native_handle(), file_.file->descriptor(), &offset, count);
    if (n > 0) {
      file_.offset += static_cast<std::uint64_t>(n);
      file_.length -= static_cast<std::uint64_t>(n);
      deadline(server_.options.stall_ms_max);
      // Others have their turn after each megabyte.
      if (static_cast<std::size_t>(n) < count) continue;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      return close();  // the file shrank, or the peer went away
    }
    if (file_.length == 0) break;
    socket_.async_wait(tcp::socket::wait_write,
                       [self = shared_from_this()](const error_code& error) {
                         if (error) return self->close();
                         self->send_some();
                       });
    return;
  }
  written();
}

void Connection::written() {
  if (phase_ == Phase::closed) return;
  out_.clear();
  file_ = {};
  if (unread_body_) return linger();
  if (last_) return close();
  // Not from within: a pipeline of thousands would be a recursion.
  asio::post(server_.io, [self = shared_from_this()] {
    if (self->phase_ != Phase::closed) self->next_request();
  });
}

void Connection::refuse(int status, const std::string& reason) {
  last_ = unread_body_ = true;
  head_only_ = false;
  respond(HttpResponse::error(status, reason));
}

void Connection::linger() {
  phase_ = Phase::lingering;
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  in_begin_ = in_end_ = 0;
  deadline(kLingerMs);
  if (input_ended_) return close();
  read_more();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  const auto self = shared_from_this();
  server_.waiting.erase(self);
  server_.connections.erase(self);
  wait_.reset();
  stream_.reset();
  sink_ = nullptr;
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  server_.check_stopped();
}

void Connection::stop() {
  if (phase_ == Phase::idle || phase_ == Phase::head || phase_ == Phase::lingering ||
      phase_ == Phase::streaming) {
    return close();
  }
  last_ = true;
  if (phase_ == Phase::waiting && wait_->long_poll) end_wait();
}

// One timer: it is set anew only when it would ring too late.
void Connection::deadline(std::int64_t ms) {
  deadline_ = Clock::now() + std::chrono::milliseconds(ms);
  if (!armed_ || timer_.expiry() > deadline_) arm();
}

void Connection::arm() {
  armed_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (!self || error || self->phase_ == Phase::closed) return;
    if (Clock::now() < self->deadline_) return self->arm();
    self->armed_ = false;
    self->on_deadline();
  });
}

void Connection::on_deadline() {
  if (phase_ == Phase::waiting) return end_wait();
  if (phase_ == Phase::streaming && !sending_piece_) return stream_more(true);
  if (phase_ == Phase::head || phase_ == Phase::body) {
    return refuse(408, "the request took too long");
  }
  close();
}

}  // namespace harambee::net

// One connection of the server, and the server as its connections see it. Only for
// net/http_server.cpp and net/http_connection.cpp.
#pragma once

#include <utility>  // before Asio: Boost 1.74 forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "hub/http.h"
#include "net/http_reader.h"
#include "net/http_server.h"

namespace harambee::net {

class Connection;

// What connections share. All of it belongs to the one I/O thread.
class Connections {
 public:
  Connections(const HttpServerOptions& options, hub::HttpHandler& handler)
      : options(options), handler(handler) {}
  virtual ~Connections() = default;
  // Text of the Date field.
  virtual const std::string& date() = 0;
  // A connection was closed: perhaps the last one that a stopping server waited for.
  virtual void check_stopped() = 0;

  HttpServerOptions options;
  hub::HttpHandler& handler;
  boost::asio::io_context io{1};
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::unordered_set<std::shared_ptr<Connection>> waiting;  // for wake(): polled then
  bool stopping = false;
};

// One TCP connection. The server keeps it alive until close().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Connections& server, boost::asio::ip::tcp::socket socket);
  void start();
  void start_refused(hub::HttpResponse refusal);
  // A waiting answer may have become ready.
  void poll();
  void stop();
  void end_wait();
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { idle, head, body, waiting, writing, streaming, lingering, closed };

  void next_request();
  void process();
  void process_head();
  void process_body();
  void accept_plan(hub::BodyPlan plan);
  void body_complete();
  void read_more();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  void on_end_of_input();
  void respond(hub::HttpResponse response);
  void leave_wait(hub::HttpResponse answer);
  void begin_stream(hub::HttpResponse response);
  void stream_more(bool beat);
  void send_piece();
  void write_text();
  void send_some();
  void written();
  void refuse(int status, const std::string& reason);
  void linger();

  void deadline(std::int64_t ms);
  void arm();
  void on_deadline();

  Connections& server_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  Clock::time_point deadline_;
  bool armed_ = false;
  Phase phase_ = Phase::idle;
  Bytes in_;  // read, not yet parsed: [in_begin_, in_end_)
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  bool reading_ = false;
  bool input_ended_ = false;
  std::string remote_;  // the peer's numeric address; empty: not known
  RequestReader reader_;
  bool head_only_ = false;
  bool last_ = false;  // close after the current answer
  bool unread_body_ = false;
  std::uint64_t body_bytes_max_ = 0;
  Bytes body_;
  std::shared_ptr<hub::BodySink> sink_;
  std::optional<hub::Wait> wait_;
  std::optional<hub::Stream> stream_;
  Clock::time_point stream_end_;
  bool sending_piece_ = false;
  std::string out_;
  hub::FilePart file_;
};

}  // namespace harambee::net

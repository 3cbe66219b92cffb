#include "net/http_server.h"

#include <utility>  // before Asio: Boost 1.74 forgets it

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <ctime>
#include <unordered_set>
#include <vector>

#include "net/http_connection.h"
#include "net/http_text.h"
#include "net/sigpipe.h"

namespace harambee::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using hub::HttpResponse;

class Server : public HttpServer, public Connections {
 public:
  Server(const HttpServerOptions& options, hub::HttpHandler& handler)
      : Connections(options, handler), acceptor_(io), retry_(io), grace_(io) {}

  Status open() {
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) return invalid(options.address + " is not a numeric address");
    const tcp::endpoint endpoint(address, options.port);
    const std::string place = options.address + " port " + std::to_string(options.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(512, error);
    if (error == asio::error::address_in_use) {
      return fail(ErrorCode::conflict, place + " is in use by another program");
    }
    if (error) return fail(ErrorCode::io, place + ": " + error.message());
    acceptor_.non_blocking(true);
    port_ = acceptor_.local_endpoint().port();
    return ok();
  }

  std::uint16_t port() const override { return port_; }

  void run(std::int64_t grace_ms) override {
    grace_ms_ = grace_ms;
    const SigpipeBlocked blocked;
    accept();
    io.run();
    // What the grace time did not suffice for ends here, together with its handlers.
    for (const auto& connection : copy(connections)) connection->close();
    io.restart();
    io.poll();
  }

  void stop() override {
    asio::post(io, [this] { begin_stop(); });
  }

  void wake() override {
    if (wake_posted_.exchange(true)) return;
    asio::post(io, [this] {
      wake_posted_ = false;
      for (const auto& connection : copy(waiting)) connection->poll();
    });
  }

  // Text of the Date field, renewed each second.
  const std::string& date() override {
    const std::time_t now = std::time(nullptr);
    if (now != date_at_) {
      date_at_ = now;
      date_ = http_date(now);
    }
    return date_;
  }

 private:
  using List = std::vector<std::shared_ptr<Connection>>;
  // A copy: what is done to them changes the sets.
  static List copy(const std::unordered_set<std::shared_ptr<Connection>>& set) {
    return {set.begin(), set.end()};
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (stopping || error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, most likely: the backlog keeps the others for a moment.
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](const error_code& cancelled) {
          if (!cancelled && !stopping) accept();
        });
        return;
      }
      admit(std::move(socket));
      accept();
    });
  }

  void admit(tcp::socket socket) {
    // Some more than the maximum are told so; beyond that there is no answer.
    const std::size_t open = connections.size();
    if (open >= options.connections_max + 64u) return;
    auto connection = std::make_shared<Connection>(*this, std::move(socket));
    connections.insert(connection);
    if (open >= options.connections_max) {
      HttpResponse refusal = HttpResponse::error(503, "too many connections");
      refusal.headers.emplace_back("Retry-After", "5");
      connection->start_refused(std::move(refusal));
    } else {
      connection->start();
    }
  }

  void begin_stop() {
    if (stopping) return;
    stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    for (const auto& connection : copy(connections)) connection->stop();
    grace_.expires_after(std::chrono::milliseconds(grace_ms_));
    grace_.async_wait([this](const error_code& error) {
      if (error) return;
      for (const auto& connection : copy(waiting)) connection->end_wait();
      io.stop();
    });
    check_stopped();
  }

 public:
  void check_stopped() override {
    if (stopping && connections.empty()) grace_.cancel();
  }

 private:
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  asio::steady_timer grace_;
  std::int64_t grace_ms_ = 0;
  std::uint16_t port_ = 0;
  std::atomic<bool> wake_posted_{false};
  std::time_t date_at_ = 0;
  std::string date_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options,
                                                       hub::HttpHandler& handler) {
  auto server = std::make_unique<Server>(options, handler);
  if (auto status = server->open(); !status) return status.error();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace harambee::net

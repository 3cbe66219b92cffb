// A TCP peer that sends exactly the bytes of a test, and a server on a thread.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "net/http_server.h"

namespace harambee::net {

class RawPeer {
 public:
  explicit RawPeer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    // A test that waits longer than this has failed.
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~RawPeer() { ::close(socket_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  // Everything until the server closes.
  std::string read_all() {
    while (more()) {
    }
    return std::exchange(in_, {});
  }
  std::string read_until(std::string_view mark) {
    while (in_.find(mark) == std::string::npos && more()) {
    }
    const auto at = in_.find(mark);
    const std::size_t end = at == std::string::npos ? in_.size() : at + mark.size();
    std::string out = in_.substr(0, end);
    in_.erase(0, end);
    return out;
  }
  // One answer with Content-Length; `head_only` for HEAD.
  std::string read_answer(bool head_only = false) {
    std::string answer = read_until("\r\n\r\n");
    const auto at = answer.find("Content-Length: ");
    if (head_only || at == std::string::npos) return answer;
    std::size_t length = std::stoul(answer.substr(at + 16));
    while (in_.size() < length && more()) {
    }
    length = std::min(length, in_.size());
    answer += in_.substr(0, length);
    in_.erase(0, length);
    return answer;
  }
  bool closed() {
    while (in_.empty() && more()) {
    }
    return in_.empty();
  }

 private:
  bool more() {
    char buffer[65536];
    const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n > 0) in_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  int socket_;
  std::string in_;
};

class ServerThread {
 public:
  ServerThread(HttpServerOptions options, hub::HttpHandler& handler) {
    auto listening = HttpServer::listen(options, handler);
    HARAMBEE_CHECK(listening.ok());
    server_ = *std::move(listening);
    thread_ = std::thread([this] { server_->run(500); });
  }
  ~ServerThread() { stop(); }
  void stop() {
    server_->stop();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  HttpServer& operator*() { return *server_; }
  HttpServer* operator->() { return server_.get(); }

 private:
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace harambee::net

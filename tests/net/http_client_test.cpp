#include "net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "net/raw_peer.h"

namespace harambee::net {
namespace {

using hub::HttpRequest;
using hub::HttpResponse;
using testing::HasSubstr;

class Mirror : public hub::HttpHandler {
 public:
  hub::BodyPlan plan(const HttpRequest&) override {
    hub::BodyPlan plan;
    plan.bytes_max = 10 << 20;
    return plan;
  }
  HttpResponse handle(const HttpRequest& request) override {
    if (request.path() == "/large") return HttpResponse::text(200, std::string(100'000, 'x'));
    if (request.path() == "/elsewhere") {
      HttpResponse response = HttpResponse::text(301, "");
      response.headers.emplace_back("Location", "file:///etc/passwd");
      return response;
    }
    if (request.path() == "/never") {
      ++waiting;
      hub::Wait wait;
      wait.ms_max = 60'000;
      wait.long_poll = true;
      wait.again = [](bool last) -> std::optional<HttpResponse> {
        if (last) return HttpResponse::text(200, "");
        return std::nullopt;
      };
      HttpResponse response;
      response.body = std::move(wait);
      return response;
    }
    std::string seen = request.method + " " + request.target + "\n";
    for (const char* name : {"content-type", "x-test", "user-agent", "content-length"}) {
      const std::string* value = request.header(name);
      if (value != nullptr) seen += std::string(name) + "=" + *value + "\n";
    }
    HttpResponse response = HttpResponse::text(request.path() == "/error" ? 503 : 200,
                                               seen + std::string(text(request.body)));
    response.headers.emplace_back("X-Answer", " spaced ");
    return response;
  }
  std::atomic<int> waiting{0};
};

class HttpClientTest : public testing::Test {
 protected:
  std::string url(const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(server.port()) + path;
  }
  WireRequest request(const std::string& method, const std::string& path) {
    WireRequest out;
    out.method = method;
    out.url = url(path);
    return out;
  }
  Mirror mirror;
  ServerThread server{{}, mirror};
  CurlWire wire;
};

TEST_F(HttpClientTest, SpeaksAllMethods) {
  auto got = wire.exchange(request("GET", "/a?b=c"));
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(text(got->body), "GET /a?b=c\nuser-agent=harambee/0.1\n");
  EXPECT_EQ(got->headers.at("x-answer"), "spaced");

  WireRequest post = request("POST", "/p");
  post.headers["X-Test"] = "yes";
  post.headers["Content-Type"] = "text/plain";
  const Bytes body = to_bytes(std::string_view("nul \0 inside", 12));
  post.body = body;
  EXPECT_THAT(
      std::string(text(wire.exchange(post)->body)),
      testing::AllOf(HasSubstr("content-type=text/plain\nx-test=yes\n"),
                     HasSubstr("content-length=12\n"), testing::EndsWith(std::string(text(body)))));
  EXPECT_THAT(std::string(text(wire.exchange(request("POST", "/empty"))->body)),
              HasSubstr("content-length=0"));
  WireRequest put = request("PUT", "/u");
  const Bytes large(3 << 20, 'y');
  put.body = large;
  auto stored = wire.exchange(put);
  ASSERT_TRUE(stored.ok()) << stored.error().message;
  EXPECT_THAT(std::string(text(stored->body)), HasSubstr("PUT /u\n"));
  EXPECT_GT(stored->body.size(), large.size());
  auto head = wire.exchange(request("HEAD", "/large"));
  EXPECT_EQ(head->headers.at("content-length"), "100000");
  EXPECT_TRUE(head->body.empty());
}

TEST_F(HttpClientTest, EveryStatusIsAnAnswer) {
  auto answer = wire.exchange(request("GET", "/error"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 503);
}

TEST_F(HttpClientTest, DoesNotFollowRedirects) {
  auto answer = wire.exchange(request("GET", "/elsewhere"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 301);
}

TEST_F(HttpClientTest, LimitsAnswers) {
  WireRequest large = request("GET", "/large");
  large.response_bytes_max = 99'999;
  auto refused = wire.exchange(large);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::limit);
  large.response_bytes_max = 100'000;
  EXPECT_EQ(wire.exchange(large)->body.size(), 100'000u);
}

TEST_F(HttpClientTest, CountsBytesOnTheWire) {
  EXPECT_EQ(wire.traffic().sent_bytes, 0u);
  WireRequest post = request("POST", "/p");
  const Bytes body(1000, 'x');
  post.body = body;
  auto answer = wire.exchange(post);
  const Traffic first = wire.traffic();
  EXPECT_GT(first.sent_bytes, 1000u);
  EXPECT_LT(first.sent_bytes, 1300u) << "the body once, and a head";
  EXPECT_GT(first.received_bytes, answer->body.size());
  EXPECT_LT(first.received_bytes, answer->body.size() + 300);
}

TEST_F(HttpClientTest, ManyThreadsShareOne) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        auto answer = wire.exchange(request("GET", path));
        if (answer && text(answer->body).starts_with("GET " + path + "\n")) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
}

TEST_F(HttpClientTest, ADeadPortIsUnavailable) {
  const std::string dead = url("/");
  server.stop();
  WireRequest question;
  question.url = dead;
  auto answer = wire.exchange(question);
  // The stopped server's socket is closed with its io context only when it is destroyed; ask a
  // port that was never open, too.
  EXPECT_FALSE(answer.ok());
  question.url = "http://127.0.0.1:1/";
  answer = wire.exchange(question);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("127.0.0.1:1"));
}

TEST_F(HttpClientTest, OtherProtocolsAreRefused) {
  for (const char* bad :
       {"ftp://127.0.0.1/", "file:///etc/passwd", "gopher://x/", "not a url", "http://", ""}) {
    WireRequest question;
    question.url = bad;
    auto answer = wire.exchange(question);
    ASSERT_FALSE(answer.ok()) << bad;
    EXPECT_EQ(answer.error().code, ErrorCode::invalid) << bad << ": " << answer.error().message;
  }
}

TEST_F(HttpClientTest, HeadersCannotBeInjected) {
  WireRequest question = request("GET", "/");
  question.headers["X-Test"] = "a\r\nX-Evil: b";
  EXPECT_EQ(wire.exchange(question).error().code, ErrorCode::invalid);
  question = request("GET", "/ HTTP/1.1\r\nX-Evil: b");
  EXPECT_EQ(wire.exchange(question).error().code, ErrorCode::invalid);
}

TEST_F(HttpClientTest, ATimeoutIsUnavailable) {
  WireRequest question = request("GET", "/never");
  question.timeout_ms = 50;
  auto answer = wire.exchange(question);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
}

TEST_F(HttpClientTest, ALongPollCanBeStopped) {
  std::atomic<bool> cancel{false};
  CurlOptions options;
  options.cancel = &cancel;
  CurlWire patient(options);
  std::thread person([&] {
    while (mirror.waiting == 0) std::this_thread::yield();
    cancel = true;
  });
  auto answer = patient.exchange(request("GET", "/never"));
  person.join();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::cancelled);
  EXPECT_EQ(patient.exchange(request("GET", "/")).error().code, ErrorCode::cancelled);
}

// A listener that answers every connection with the same bytes, whatever they are.
class NonsenseServer {
 public:
  explicit NonsenseServer(std::string answer) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_, 4), 0);
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = ::accept(socket_, nullptr, nullptr);
      char buffer[4096];
      static_cast<void>(::recv(peer, buffer, sizeof buffer, 0));
      static_cast<void>(::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL));
      ::close(peer);
    });
  }
  ~NonsenseServer() {
    thread_.join();
    ::close(socket_);
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/";
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST(NonsenseServerTest, IsAnErrorAndNoMore) {
  CurlWire wire;
  for (const std::string& nonsense :
       {std::string(), std::string("SSH-2.0-OpenSSH_9.2\r\n"), std::string("\0\1\2\3", 4),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n")}) {
    NonsenseServer server(nonsense);
    WireRequest question;
    question.url = server.url();
    question.timeout_ms = 5000;
    auto answer = wire.exchange(question);
    EXPECT_FALSE(answer.ok()) << nonsense;
    if (!answer) {
      EXPECT_EQ(answer.error().code, ErrorCode::unavailable) << nonsense;
    }
  }
}

}  // namespace
}  // namespace harambee::net

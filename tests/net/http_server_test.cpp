#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "net/raw_peer.h"
#include "store/temporary_folder.h"

namespace harambee::net {
namespace {

using hub::BodyPlan;
using hub::HttpRequest;
using hub::HttpResponse;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Answers with what it saw.
class Echo : public hub::HttpHandler {
 public:
  BodyPlan plan(const HttpRequest& head) override {
    BodyPlan plan;
    plan.bytes_max = 100;
    if (head.path() == "/refused") plan.refusal = HttpResponse::error(404, "not here");
    if (head.path() == "/sink") plan.sink = std::make_shared<Sink>(*this);
    if (head.path() == "/full") plan.sink = std::make_shared<FullSink>();
    return plan;
  }

  HttpResponse handle(const HttpRequest& request) override {
    if (request.path() == "/file") return file(request);
    if (request.path() == "/wait") return wait(request);
    if (request.path() == "/inject") {
      HttpResponse response = HttpResponse::text(200, "x");
      response.headers.emplace_back("X-Bad", "a\r\nSet-Cookie: b");
      return response;
    }
    if (request.path() == "/bye") {
      HttpResponse response = HttpResponse::text(200, "bye");
      response.close = true;
      return response;
    }
    return HttpResponse::text(
        200, request.method + " " + request.target + " [" + std::string(text(request.body)) + "]");
  }

  std::string file_path;
  std::atomic<bool> ready{false};
  std::atomic<int> waits{0};
  std::atomic<std::uint64_t> sunk{0};
  std::atomic<int> sinks_gone{0};
  std::atomic<std::int64_t> wait_ms{60'000};

 private:
  class Sink : public hub::BodySink {
   public:
    explicit Sink(Echo& echo) : echo_(echo) {}
    ~Sink() override { ++echo_.sinks_gone; }
    Status write(View bytes) override {
      bytes_ += bytes.size();
      echo_.sunk += bytes.size();
      return ok();
    }
    HttpResponse finish() override { return HttpResponse::text(201, std::to_string(bytes_)); }
    HttpResponse failed(const Error& error) override {
      return HttpResponse::error(503, error.message);
    }

   private:
    Echo& echo_;
    std::uint64_t bytes_ = 0;
  };
  class FullSink : public hub::BodySink {
   public:
    Status write(View) override { return fail(ErrorCode::limit, "disk full"); }
    HttpResponse finish() override { return HttpResponse::text(201, ""); }
    HttpResponse failed(const Error& error) override {
      return HttpResponse::error(503, error.message);
    }
  };

  HttpResponse file(const HttpRequest& request) {
    auto open = hub::OpenFile::open(file_path);
    HttpResponse response;
    const std::uint64_t size = (*open)->size();
    const bool part = request.header("range") != nullptr;
    response.body = hub::FilePart{*open, part ? 10u : 0u, part ? size - 20 : size};
    return response;
  }
  HttpResponse wait(const HttpRequest& request) {
    hub::Wait wait;
    wait.ms_max = wait_ms;
    wait.long_poll = request.query("long").has_value();
    wait.again = [this](bool last) -> std::optional<HttpResponse> {
      if (last) return HttpResponse::text(200, "timeout");
      if (ready) return HttpResponse::text(200, "ready");
      ++waits;
      return std::nullopt;
    };
    HttpResponse response;
    response.body = std::move(wait);
    return response;
  }
};

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    options.header_bytes_max = 2048;
    options.connections_max = 20;
  }
  void start() { server = std::make_unique<ServerThread>(options, echo); }
  RawPeer peer() {
    if (!server) start();
    return RawPeer(server->port());
  }
  std::string exchange(std::string_view bytes) {
    RawPeer one = peer();
    one.send(bytes);
    one.end_sending();
    return one.read_all();
  }
  HttpServerOptions options;
  Echo echo;
  std::unique_ptr<ServerThread> server;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  RawPeer one = peer();
  for (int i = 0; i < 3; ++i) {
    one.send("GET /a?b=" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = one.read_answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nDate: "));
    EXPECT_THAT(answer, Not(HasSubstr("Connection: close")));
    EXPECT_THAT(answer, EndsWith("GET /a?b=" + std::to_string(i) + " []"));
  }
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  RawPeer one = peer();
  one.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(one.read_all(), HasSubstr("Connection: close"));
  RawPeer old = peer();
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_all(), EndsWith("GET / []"));
  RawPeer third = peer();
  third.send("GET /bye HTTP/1.1\r\n\r\n");
  EXPECT_THAT(third.read_all(), EndsWith("bye"));
}

TEST_F(HttpServerTest, AnswersAPipelineInOrder) {
  RawPeer one = peer();
  std::string all;
  constexpr int kCount = 500;
  for (int i = 0; i < kCount; ++i) {
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi";
  }
  std::thread sender([&] { one.send(all); });
  for (int i = 0; i < kCount; ++i) {
    ASSERT_THAT(one.read_answer(), EndsWith("POST /" + std::to_string(i) + " [hi]"));
  }
  sender.join();
}

TEST_F(HttpServerTest, TakesARequestByteByByte) {
  RawPeer one = peer();
  for (const char c : std::string("POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")) {
    one.send(std::string(1, c));
  }
  EXPECT_THAT(one.read_answer(), EndsWith("POST /x [abc]"));
}

TEST_F(HttpServerTest, TakesChunkedBodies) {
  RawPeer one = peer();
  one.send("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  one.send("2;ext=1\r\nde\r\n0\r\n\r\n");
  EXPECT_THAT(one.read_answer(), EndsWith("POST /x [abcde]"));
  one.send("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') +
           "\r\n0\r\n\r\n");
  EXPECT_THAT(one.read_all(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  RawPeer one = peer();
  one.send("HEAD /abc HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n");
  EXPECT_THAT(one.read_answer(true), HasSubstr("Content-Length: 12\r\n"));
  EXPECT_THAT(one.read_answer(), EndsWith("GET /d []"));
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  for (const char* nonsense :
       {"\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/3.7\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    const std::string answer = exchange(nonsense);
    if (answer.empty()) continue;  // ended before it was a request at all
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << nonsense;
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
  }
  EXPECT_THAT(exchange("GET /still HTTP/1.1\r\nConnection: close\r\n\r\n"),
              EndsWith("GET /still []"));
}

TEST_F(HttpServerTest, RefusesOneRequestWithTwoLengths) {
  // Smuggling: a proxy that reads it another way must not be fooled.
  const std::string answer = exchange(
      "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      "GET /smuggled HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, Not(HasSubstr("smuggled")));
}

TEST_F(HttpServerTest, LimitsHeads) {
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nX: " + std::string(4000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(exchange("GET /" + std::string(200'000, 'x')), StartsWith("HTTP/1.1 431 "));
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 100; ++i) many += "a: b\r\n";
  EXPECT_THAT(exchange(many + "\r\n"), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, LimitsBodies) {
  const std::string answer =
      exchange("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x'));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, ARefusalReachesASenderWhoIsStillSending) {
  RawPeer one = peer();
  one.send("POST /refused HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n");
  std::thread sender([&] { one.send(std::string(5'000'000, 'x')); });
  EXPECT_THAT(one.read_answer(), StartsWith("HTTP/1.1 404 "));
  sender.join();
}

TEST_F(HttpServerTest, RefusalsWithoutABodyKeepTheConnection) {
  RawPeer one = peer();
  one.send("GET /refused HTTP/1.1\r\n\r\n");
  EXPECT_THAT(one.read_answer(), StartsWith("HTTP/1.1 404 "));
  one.send("GET /on HTTP/1.1\r\n\r\n");
  EXPECT_THAT(one.read_answer(), EndsWith("GET /on []"));
}

TEST_F(HttpServerTest, StreamsLargeBodies) {
  RawPeer one = peer();
  constexpr std::size_t kBytes = 20'000'000;
  one.send("PUT /sink HTTP/1.1\r\nContent-Length: " + std::to_string(kBytes) + "\r\n\r\n");
  one.send(std::string(kBytes, 'x'));
  EXPECT_THAT(one.read_answer(), EndsWith("\r\n\r\n20000000"));
  one.send("PUT /sink HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(one.read_answer(), EndsWith("\r\n\r\n0"));
}

TEST_F(HttpServerTest, ASenderWhoGoesAwayLeavesHisSink) {
  {
    RawPeer one = peer();
    one.send("PUT /sink HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf");
    one.end_sending();
    EXPECT_TRUE(one.closed());
  }
  server->stop();
  EXPECT_EQ(echo.sunk, 4u);
  EXPECT_EQ(echo.sinks_gone, 1);
}

TEST_F(HttpServerTest, SaysWhyASinkRefused) {
  EXPECT_THAT(exchange("PUT /full HTTP/1.1\r\nContent-Length: 4\r\n\r\nhalf"),
              HasSubstr("disk full"));
}

TEST_F(HttpServerTest, SaysContinue) {
  RawPeer one = peer();
  one.send("PUT /sink HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(one.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  one.send("hi");
  EXPECT_THAT(one.read_answer(), StartsWith("HTTP/1.1 201 "));
  RawPeer two = peer();
  two.send("PUT /refused HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(two.read_answer(), StartsWith("HTTP/1.1 404 "));
}

TEST_F(HttpServerTest, SendsFiles) {
  TemporaryFolder folder;
  for (const std::size_t size : {std::size_t{100}, std::size_t{5'000'000}}) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 + i / 256);
    echo.file_path = folder.path() + "/file";
    std::ofstream(echo.file_path, std::ios::binary) << content;
    RawPeer one = peer();
    one.send("GET /file HTTP/1.1\r\n\r\nGET /file HTTP/1.1\r\nRange: x\r\n\r\n");
    std::string whole = one.read_answer();
    EXPECT_EQ(whole.substr(whole.find("\r\n\r\n") + 4), content);
    std::string part = one.read_answer();
    EXPECT_EQ(part.substr(part.find("\r\n\r\n") + 4), content.substr(10, size - 20));
    one.send("HEAD /file HTTP/1.1\r\n\r\n");
    EXPECT_THAT(one.read_answer(true), HasSubstr("Content-Length: " + std::to_string(size)));
  }
}

TEST_F(HttpServerTest, AReceiverWhoGoesAwayHarmsNobody) {
  TemporaryFolder folder;
  echo.file_path = folder.path() + "/file";
  std::ofstream(echo.file_path, std::ios::binary) << std::string(20'000'000, 'x');
  for (int i = 0; i < 5; ++i) {
    RawPeer one = peer();
    one.send("GET /file HTTP/1.1\r\n\r\n");
    one.read_until("\r\n\r\n");
  }
  EXPECT_THAT(exchange("GET /on HTTP/1.1\r\n\r\n"), EndsWith("GET /on []"));
}

TEST_F(HttpServerTest, WakesWhoWaits) {
  RawPeer one = peer();
  RawPeer two = peer();
  one.send("GET /wait HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
  two.send("GET /wait HTTP/1.1\r\n\r\n");
  while (echo.waits < 2) std::this_thread::yield();
  echo.ready = true;
  (*server)->wake();
  EXPECT_THAT(one.read_answer(), EndsWith("ready"));
  EXPECT_THAT(one.read_answer(), EndsWith("GET /next []")) << "pipelined behind it";
  EXPECT_THAT(two.read_answer(), EndsWith("ready"));
}

TEST_F(HttpServerTest, AWaitEndsAtItsDeadline) {
  echo.wait_ms = 30;
  RawPeer one = peer();
  one.send("GET /wait HTTP/1.1\r\n\r\n");
  EXPECT_THAT(one.read_answer(), EndsWith("timeout"));
}

TEST_F(HttpServerTest, WhoSendsNoMoreStillGetsHisAnswer) {
  RawPeer one = peer();
  one.send("GET /wait HTTP/1.1\r\n\r\n");
  one.end_sending();
  while (echo.waits < 1) std::this_thread::yield();
  echo.ready = true;
  (*server)->wake();
  EXPECT_THAT(one.read_all(), EndsWith("ready"));
}

TEST_F(HttpServerTest, SlowHeadsAndStalledBodiesEnd) {
  options.header_ms_max = 40;
  options.stall_ms_max = 40;
  RawPeer head = peer();
  head.send("GET / HT");
  EXPECT_THAT(head.read_all(), StartsWith("HTTP/1.1 408 "));
  RawPeer body = peer();
  body.send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_THAT(body.read_all(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, IdleConnectionsEnd) {
  options.idle_ms_max = 40;
  RawPeer one = peer();
  EXPECT_TRUE(one.closed());
  RawPeer two = peer();
  two.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(two.read_answer(), EndsWith("GET / []"));
  EXPECT_TRUE(two.closed());
}

TEST_F(HttpServerTest, LimitsConnections) {
  options.connections_max = 3;
  std::vector<std::unique_ptr<RawPeer>> peers;
  start();
  for (int i = 0; i < 3; ++i) {
    peers.push_back(std::make_unique<RawPeer>(server->port()));
    peers.back()->send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_THAT(peers.back()->read_answer(), StartsWith("HTTP/1.1 200 "));
  }
  RawPeer fourth(server->port());
  EXPECT_THAT(fourth.read_answer(), StartsWith("HTTP/1.1 503 "));
  peers[0]->send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  peers[0]->read_all();
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 ")) << "there is room";
}

TEST_F(HttpServerTest, AHandlerCannotSplitTheAnswer) {
  const std::string answer = exchange("GET /inject HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("X-Bad: aSet-Cookie: b\r\n"));
}

TEST_F(HttpServerTest, StopsGracefully) {
  RawPeer idle = peer();
  RawPeer polling = peer();
  RawPeer deciding = peer();
  polling.send("GET /wait?long=1 HTTP/1.1\r\n\r\n");
  deciding.send("GET /wait HTTP/1.1\r\n\r\n");
  while (echo.waits < 2) std::this_thread::yield();
  std::thread stopper([&] { server->stop(); });
  EXPECT_THAT(polling.read_all(), EndsWith("timeout")) << "a long poll ends at once";
  EXPECT_TRUE(idle.closed());
  echo.ready = true;
  (*server)->wake();
  EXPECT_THAT(deciding.read_all(), EndsWith("ready")) << "a decision is waited for";
  stopper.join();
}

TEST_F(HttpServerTest, StopsEvenIfADecisionNeverComes) {
  RawPeer deciding = peer();
  deciding.send("GET /wait HTTP/1.1\r\n\r\n");
  while (echo.waits < 1) std::this_thread::yield();
  server->stop();
  EXPECT_THAT(deciding.read_all(), EndsWith("timeout"));
}

TEST_F(HttpServerTest, SaysThatThePortIsTaken) {
  start();
  HttpServerOptions same = options;
  same.port = server->port();
  auto second = HttpServer::listen(same, echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
  same.address = "not an address";
  EXPECT_EQ(HttpServer::listen(same, echo).error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace harambee::net

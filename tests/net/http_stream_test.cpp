// Answers without an end: server-sent events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "net/http_server.h"
#include "net/raw_peer.h"

namespace harambee::net {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Streams the numbers that the test lets happen.
class Numbers : public hub::HttpHandler {
 public:
  hub::BodyPlan plan(const hub::HttpRequest&) override { return {}; }
  hub::HttpResponse handle(const hub::HttpRequest& request) override {
    hub::Stream stream;
    stream.beat_ms = beat_ms;
    stream.ms_max = ms_max;
    // Held by the stream alone: says when the server has let go of it.
    const int counted = request.method == "GET" ? 1 : 0;
    const std::shared_ptr<void> held(nullptr, [this, counted](void*) { gone += counted; });
    stream.next = [this, held, seen = 0](bool beat) mutable -> std::string {
      ++asked;
      if (beat && !silent) return "beat\n";
      const int now = happened;
      if (now == seen) return "";
      seen = now;
      return std::to_string(now) + std::string(padding, '.') + "\n";
    };
    hub::HttpResponse response;
    response.headers.emplace_back("Content-Type", "text/event-stream");
    response.body = std::move(stream);
    return response;
  }

  std::atomic<int> happened{0};
  std::atomic<int> asked{0};
  std::atomic<int> gone{0};
  std::atomic<bool> silent{false};
  std::atomic<std::size_t> padding{0};
  std::atomic<std::int64_t> beat_ms{60'000};
  std::atomic<std::int64_t> ms_max{60'000};
};

class HttpStreamTest : public testing::Test {
 protected:
  void happen(ServerThread& server, int number) {
    numbers.happened = number;
    server->wake();
  }
  static void ask(RawPeer& peer, const char* method = "GET") {
    peer.send(std::string(method) + " /events HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  HttpServerOptions options;
  Numbers numbers;
};

TEST_F(HttpStreamTest, SendsWhatHappensWhenItHappens) {
  ServerThread server(options, numbers);
  RawPeer peer(server->port());
  ask(peer);
  const std::string head = peer.read_until("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Connection: close"));
  EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
  for (int number = 1; number <= 3; ++number) {
    happen(server, number);
    EXPECT_EQ(peer.read_until("\n"), std::to_string(number) + "\n");
  }
}

TEST_F(HttpStreamTest, ASlowReaderGetsTheNewestNotAQueue) {
  numbers.padding = 1 << 20;
  ServerThread server(options, numbers);
  RawPeer peer(server->port());
  ask(peer);
  peer.read_until("\r\n\r\n");
  // More than any socket buffer takes, while nobody reads.
  for (int number = 1; number <= 200; ++number) happen(server, number);
  RawPeer other(server->port());
  ask(other, "HEAD");
  EXPECT_THAT(other.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200")) << "others are served";
  std::string last;
  int pieces = 0;
  while (last.substr(0, 4) != "200.") {
    last = peer.read_until("\n");
    ASSERT_FALSE(last.empty());
    ++pieces;
  }
  EXPECT_LT(pieces, 200) << "what was overtaken is not sent";
}

TEST_F(HttpStreamTest, AQuietStreamShowsThatItLives) {
  numbers.beat_ms = 1;
  ServerThread server(options, numbers);
  RawPeer peer(server->port());
  ask(peer);
  peer.read_until("\r\n\r\n");
  EXPECT_EQ(peer.read_until("\n"), "beat\n");
  EXPECT_EQ(peer.read_until("\n"), "beat\n");
}

TEST_F(HttpStreamTest, EndsWhenItHasLastedOrHasNothingToSay) {
  numbers.ms_max = 0;
  ServerThread server(options, numbers);
  RawPeer peer(server->port());
  ask(peer);
  EXPECT_THAT(peer.read_all(), HasSubstr("200 OK"));
  numbers.ms_max = 60'000;
  numbers.beat_ms = 1;
  numbers.silent = true;
  RawPeer quiet(server->port());
  ask(quiet);
  EXPECT_THAT(quiet.read_all(), HasSubstr("200 OK"));
  EXPECT_EQ(numbers.gone, 2);
}

TEST_F(HttpStreamTest, LetsGoWhenTheReaderLeaves) {
  ServerThread server(options, numbers);
  {
    RawPeer peer(server->port());
    ask(peer);
    peer.read_until("\r\n\r\n");
  }
  // Another connection is answered after the server has seen the first one end.
  for (int i = 0; i < 10'000 && numbers.gone == 0; ++i) {
    RawPeer other(server->port());
    ask(other, "HEAD");
    other.read_until("\r\n\r\n");
    if (numbers.gone > 0) break;
  }
  EXPECT_GE(numbers.gone, 1);
}

TEST_F(HttpStreamTest, StoppingEndsStreams) {
  auto server = std::make_unique<ServerThread>(options, numbers);
  RawPeer peer((*server)->port());
  ask(peer);
  peer.read_until("\r\n\r\n");
  server.reset();
  EXPECT_TRUE(peer.closed());
}

}  // namespace
}  // namespace harambee::net

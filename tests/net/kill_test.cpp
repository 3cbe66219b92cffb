// A hub in a process of its own, killed without warning while people write, again and again: every
// receipt that anybody got stays true, and all that is published fits its root.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>

#include "hub/world.h"
#include "net/http_client.h"
#include "net/serve.h"
#include "store/file_shelf.h"
#include "store/temporary_folder.h"

namespace harambee::net {
namespace {

class HubProcess {
 public:
  explicit HubProcess(const std::string& dir) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) serve(dir, ends[1]);
    ::close(ends[1]);
    EXPECT_EQ(::read(ends[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
    ::close(ends[0]);
  }
  ~HubProcess() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::uint16_t port = 0;

 private:
  [[noreturn]] static void serve(const std::string& dir, int report) {
    HubServiceOptions options;
    options.data_dir = dir;
    options.origin = hub::kTestOrigin;
    options.key = hub::test_key(200);
    options.batch_ms = 1;
    options.tick_ms = 20;
    const std::atomic<bool> never{false};
    static_cast<void>(run_hub(options, never, [&](const HubStarted& facts) {
                        const std::uint16_t port = facts.damage ? 0 : facts.port;
                        static_cast<void>(!::write(report, &port, sizeof port));
                      }).ok());
    ::_exit(1);
  }
  pid_t pid_ = -1;
};

TEST(Kill, NoReceiptIsEverLost) {
  constexpr int kLives = 6;
  TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  hub::Person ada(1);
  Bytes record = ada.introduce();
  std::map<std::uint64_t, Bytes> receipts;
  for (int life = 0; life < kLives; ++life) {
    HubProcess hub(dir);
    ASSERT_NE(hub.port, 0) << "life " << life << " began with a damaged log";
    // Others press on from processes that die with the hub's answers, at any moment of a batch.
    const pid_t crowd = ::fork();
    if (crowd == 0) {
      CurlWire wire;
      hub::Person ben(static_cast<std::uint8_t>(10 + life));
      WireRequest request;
      request.method = "POST";
      request.url = "http://127.0.0.1:" + std::to_string(hub.port) + "/records";
      for (Bytes next = ben.introduce();; next = ben.say("note")) {
        request.body = next;
        if (!wire.exchange(request)) ::_exit(0);
      }
    }
    CurlWire wire;
    for (int sent = 0; sent < 5 + life; ++sent) {
      WireRequest request;
      request.method = "POST";
      request.url = "http://127.0.0.1:" + std::to_string(hub.port) + "/records";
      request.body = record;
      auto answer = wire.exchange(request);
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      ASSERT_EQ(answer->status, 200) << text(answer->body);
      const std::string body(text(answer->body));
      receipts[std::stoull(body.substr(body.find("\"index\":") + 8))] = record;
      record = ada.say("note");
    }
    hub.kill();
    ::waitpid(crowd, nullptr, 0);
  }
  { HubProcess last(dir); }
  auto shelf = *store::open_file_shelf(dir);
  const auto entries = hub::check_log(*shelf);
  EXPECT_EQ(receipts.size(), 45u);
  for (const auto& [index, envelope] : receipts) {
    ASSERT_LT(index, entries.size());
    EXPECT_EQ(entries[index], envelope);
  }
}

}  // namespace
}  // namespace harambee::net

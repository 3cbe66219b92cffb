// A whole hub: directory, database, files, sockets.
#include "net/serve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "hub/world.h"
#include "net/http_client.h"
#include "store/file.h"
#include "store/file_shelf.h"
#include "store/temporary_folder.h"

namespace harambee::net {
namespace {

using testing::HasSubstr;

// run_hub on a thread of its own.
class RunningHub {
 public:
  explicit RunningHub(HubServiceOptions options) {
    std::promise<HubStarted> started;
    auto ready = started.get_future();
    thread_ = std::thread([this, options, started = std::move(started)]() mutable {
      outcome_ =
          run_hub(options, stop_, [&](const HubStarted& facts) { started.set_value(facts); });
      if (!outcome_) started.set_value({});
    });
    facts = ready.get();
  }
  ~RunningHub() { static_cast<void>(stop().ok()); }
  Status stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return outcome_;
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(facts.port) + path;
  }
  HubStarted facts;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
  Status outcome_ = ok();
};

class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    options.data_dir = folder.path() + "/data";
    options.origin = hub::kTestOrigin;
    options.key = hub::test_key(200);
    options.batch_ms = 1;
  }
  WireResponse ask(const RunningHub& hub, const std::string& method, const std::string& path,
                   View body = {}) {
    WireRequest request;
    request.method = method;
    request.url = hub.url(path);
    request.body = body;
    auto answer = wire.exchange(request);
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    return answer ? *std::move(answer) : WireResponse{};
  }
  static std::string message(const Status& status) {
    return status ? "ok" : status.error().message;
  }
  TemporaryFolder folder;
  HubServiceOptions options;
  CurlWire wire;
  hub::Person ada{1};
};

TEST_F(ServeTest, KeepsALogOverRestarts) {
  const Bytes hello = ada.introduce();
  std::string receipt;
  {
    RunningHub hub(options);
    EXPECT_EQ(hub.facts.size, 1u);
    EXPECT_EQ(hub.facts.vkey, hub::hub_verifier().str());
    receipt = text(ask(hub, "POST", "/records", hello).body);
    EXPECT_THAT(receipt, HasSubstr("\"index\":2"));
    EXPECT_TRUE(hub.stop().ok());
  }
  RunningHub hub(options);
  EXPECT_EQ(hub.facts.size, 3u);
  EXPECT_FALSE(hub.facts.damage.has_value());
  EXPECT_EQ(text(ask(hub, "POST", "/records", hello).body), receipt);
  ASSERT_TRUE(hub.stop().ok());
  auto shelf = *store::open_file_shelf(options.data_dir);
  EXPECT_EQ(hub::check_log(*shelf).size(), 3u);
}

TEST_F(ServeTest, TakesAndGivesBlobs) {
  RunningHub hub(options);
  ask(hub, "POST", "/records", ada.introduce());
  Bytes blob(3'000'000);
  for (std::size_t i = 0; i < blob.size(); ++i) blob[i] = static_cast<std::uint8_t>(i * 7);
  const std::string path = "/blobs/" + sha256(blob).hex();
  EXPECT_EQ(ask(hub, "PUT", path, blob).status, 404);
  Payload draft = ada.draft("note");
  draft.blobs = {{sha256(blob), blob.size(), "application/octet-stream"}};
  ask(hub, "POST", "/records", ada.say(draft));
  EXPECT_EQ(ask(hub, "PUT", path, blob).status, 201);
  EXPECT_EQ(ask(hub, "GET", path).body, blob);
  EXPECT_EQ(ask(hub, "HEAD", path).headers.at("content-length"), "3000000");
  EXPECT_EQ(ask(hub, "PUT", path, blob).status, 200);
}

TEST_F(ServeTest, ManyPeopleWriteAtOnce) {
  RunningHub hub(options);
  std::vector<std::thread> threads;
  std::atomic<int> taken{0};
  for (int p = 1; p <= 8; ++p) {
    threads.emplace_back([&, p] {
      hub::Person person(static_cast<std::uint8_t>(p));
      Bytes record = person.introduce();
      for (int i = 0; i < 20; ++i) {
        WireRequest request;
        request.method = "POST";
        request.url = hub.url("/records");
        request.body = record;
        auto answer = wire.exchange(request);
        if (answer && answer->status == 200) ++taken;
        record = person.say("note");
      }
    });
  }
  // Somebody follows meanwhile, and sees every size covered.
  std::uint64_t from = 0;
  while (from < 1 + 8 * 20) {
    auto answer = ask(hub, "GET", "/log?from=" + std::to_string(from) + "&wait=5000");
    const std::string body(text(answer.body));
    const auto line = body.find("entries ");
    ASSERT_NE(line, std::string::npos);
    from += std::stoul(body.substr(body.find(' ', line + 8) + 1));
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 160);
  ASSERT_TRUE(hub.stop().ok());
  auto shelf = *store::open_file_shelf(options.data_dir);
  EXPECT_GE(hub::check_log(*shelf).size(), 161u);
}

TEST_F(ServeTest, OneHubPerDirectory) {
  RunningHub hub(options);
  RunningHub second(options);
  const Status outcome = second.stop();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, ErrorCode::conflict);
  EXPECT_THAT(outcome.error().message, HasSubstr("held by another process"));
}

TEST_F(ServeTest, SaysThatThePortIsTaken) {
  RunningHub hub(options);
  HubServiceOptions other = options;
  other.data_dir = folder.path() + "/other";
  other.port = hub.facts.port;
  RunningHub second(other);
  EXPECT_THAT(message(second.stop()), HasSubstr("is in use"));
}

TEST_F(ServeTest, RefusesADirectoryOfAnotherVersion) {
  ASSERT_TRUE(
      store::write_file_atomic(options.data_dir + "/format", view("harambee-hub 2\n")).ok());
  RunningHub hub(options);
  EXPECT_THAT(message(hub.stop()), HasSubstr("another version"));
}

TEST_F(ServeTest, MakesAndKeepsItsOwnKey) {
  options.key.reset();
  options.origin.clear();
  std::string vkey;
  {
    RunningHub hub(options);
    vkey = hub.facts.vkey;
    EXPECT_THAT(hub.facts.origin, testing::StartsWith("harambee/"));
  }
  {
    RunningHub hub(options);
    EXPECT_EQ(hub.facts.vkey, vkey);
  }
  const auto mode = std::filesystem::status(options.data_dir + "/key.pem").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::remove(options.data_dir + "/key.pem");
  RunningHub hub(options);
  EXPECT_THAT(message(hub.stop()), HasSubstr("key.pem is missing"));
}

TEST_F(ServeTest, AnotherOriginIsAnotherLog) {
  { RunningHub hub(options); }
  options.origin = "elsewhere.example";
  RunningHub hub(options);
  EXPECT_THAT(message(hub.stop()), HasSubstr("hub.example/log, not elsewhere.example"));
}

TEST_F(ServeTest, ServesADamagedLogReadOnly) {
  { RunningHub hub(options); }
  const std::string tile = options.data_dir + "/tile/0/000.p/1";
  std::filesystem::permissions(tile, std::filesystem::perms::owner_all);
  std::ofstream(tile, std::ios::binary) << std::string(32, 'x');
  RunningHub hub(options);
  ASSERT_TRUE(hub.facts.damage.has_value());
  EXPECT_THAT(*hub.facts.damage, HasSubstr("tile/0/000.p/1"));
  EXPECT_EQ(ask(hub, "POST", "/records", ada.introduce()).status, 503);
  EXPECT_EQ(ask(hub, "GET", "/checkpoint").status, 200);
  EXPECT_EQ(ask(hub, "GET", "/tile/entries/000.p/1").status, 200);
  EXPECT_THAT(std::string(text(ask(hub, "GET", "/health").body)), HasSubstr("read-only"));
}

}  // namespace
}  // namespace harambee::net

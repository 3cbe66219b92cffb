#include "hub/pace.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hub/hub.h"
#include "hub/world.h"

namespace harambee::hub {
namespace {

HttpRequest from(const std::string& remote, const std::vector<std::string>& forwarded = {}) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/records";
  request.remote = remote;
  for (const auto& field : forwarded) request.headers.emplace_back("x-forwarded-for", field);
  return request;
}

TEST(Pace, CountsAnIpv4AddressAndAnIpv6Customer) {
  EXPECT_EQ(Pace::sender(from("192.0.2.7"), false), "192.0.2.7");
  EXPECT_EQ(Pace::sender(from("2001:db8:1:2:3:4:5:6"), false), "2001:db8:1:2::");
  EXPECT_EQ(Pace::sender(from("2001:db8:1:2:ffff::1"), false), "2001:db8:1:2::");
  EXPECT_EQ(Pace::sender(from("::ffff:192.0.2.7"), false), "192.0.2.7");
  EXPECT_EQ(Pace::sender(from("fe80::1%eth0"), false), "fe80::");
}

TEST(Pace, CountsNobodyForThisMachineOrAnUnknownAddress) {
  for (const char* remote : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "", "nonsense"}) {
    EXPECT_EQ(Pace::sender(from(remote), false), "") << remote;
  }
}

TEST(Pace, BelievesOnlyWhatItsOwnProxyAdded) {
  EXPECT_EQ(Pace::sender(from("127.0.0.1", {"192.0.2.1, 192.0.2.2"}), true), "192.0.2.2");
  EXPECT_EQ(Pace::sender(from("127.0.0.1", {"192.0.2.1", " 192.0.2.3 "}), true), "192.0.2.3");
  EXPECT_EQ(Pace::sender(from("192.0.2.9"), true), "192.0.2.9");
  EXPECT_EQ(Pace::sender(from("192.0.2.9", {"127.0.0.1"}), false), "192.0.2.9");
}

TEST(Pace, AMinutesWorthAtOnceAndThenAtTheRate) {
  Pace pace({60, false});
  const HttpRequest ada = from("192.0.2.1");
  for (int i = 0; i < 60; ++i) ASSERT_EQ(pace.wait_ms(ada, 5), 0) << i;
  EXPECT_EQ(pace.wait_ms(ada, 5), 1000);
  EXPECT_EQ(pace.wait_ms(ada, 5), 1000) << "a refused write is not counted";
  EXPECT_EQ(pace.wait_ms(from("192.0.2.2"), 5), 0) << "nobody else waits";
  EXPECT_EQ(pace.wait_ms(ada, 1004), 1);
  EXPECT_EQ(pace.wait_ms(ada, 1005), 0);
  EXPECT_EQ(pace.wait_ms(ada, 1005), 1000);
  for (int i = 0; i < 60; ++i) ASSERT_EQ(pace.wait_ms(ada, 200'000), 0) << i;
  EXPECT_GT(pace.wait_ms(ada, 200'000), 0);
}

TEST(Pace, WithoutARateNobodyWaits) {
  Pace pace({0, false});
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(pace.wait_ms(from("192.0.2.1"), 5), 0);
}

TEST(Pace, ForgetsWhoseMinuteIsOverBeforeWhoseIsNot) {
  Pace pace({1, false});
  for (int i = 0; i < 65'535; ++i) {  // as many as it remembers, but for one
    const std::string one = "10.0." + std::to_string(i >> 8) + "." + std::to_string(i & 255);
    ASSERT_EQ(pace.wait_ms(from(one), 0), 0);
  }
  ASSERT_EQ(pace.wait_ms(from("192.0.2.1"), 30'000), 0);
  ASSERT_EQ(pace.wait_ms(from("192.0.2.2"), 60'000), 0);
  EXPECT_EQ(pace.wait_ms(from("192.0.2.1"), 60'000), 30'000);
}

// The hub decides on the head alone, and reading is free.
TEST(Pace, TheHubSaysWhenToGoOn) {
  TestClock clock;
  auto order = store::make_memory_order();
  auto shelf = store::make_memory_shelf();
  auto blobs = store::make_memory_blobs();
  auto sequencer = *Sequencer::open(test_options(), test_key(200), *order, *shelf, clock);
  HubOptions options;
  options.vkey = hub_verifier().str();
  options.clock = &clock;
  options.pace = {2, false};
  const auto hub = make_hub(options, *sequencer, *order, *shelf, *blobs, [] {});
  const HttpRequest write = from("192.0.2.1");
  EXPECT_FALSE(hub->plan(write).refusal);
  EXPECT_FALSE(hub->plan(write).refusal);
  const auto refusal = hub->plan(write).refusal;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 429);
  bool said = false;
  for (const auto& [name, value] : refusal->headers) said |= name == "Retry-After" && value == "30";
  EXPECT_TRUE(said);
  HttpRequest read = write;
  read.method = "GET";
  read.target = "/checkpoint";
  EXPECT_FALSE(hub->plan(read).refusal);
  HttpRequest tick = write;
  tick.target = "/tick";
  EXPECT_FALSE(hub->plan(tick).refusal);
  clock.pass(30'000);
  EXPECT_FALSE(hub->plan(write).refusal);
}

}  // namespace
}  // namespace harambee::hub

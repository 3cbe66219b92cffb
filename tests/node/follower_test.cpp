// A followed log is checked to the last bit, kept, and never believed.
#include "node/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "node/world.h"
#include "store/file.h"

namespace harambee::node::testing {
namespace {

namespace fs = std::filesystem;

class FollowerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Follower> open(Wire* wire, const std::string& url = kHubUrl) {
    auto opened = Follower::open({url, dir(), std::nullopt}, wire);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  void say(int count) {
    for (int i = 0; i < count; ++i) {
      Payload draft;
      draft.kind = "test-note";
      draft.body = JsonObject{{"n", i}};
      const auto posted = desk_.publisher->post(draft);
      ASSERT_TRUE(posted.ok()) << posted.error().message;
    }
  }
  std::string dir() { return folder_.path() + "/log"; }

  TestHub hub_;
  TemporaryFolder folder_;
  Desk desk_{hub_, "writer", folder_.path() + "/writer"};
  DirectWire wire_{hub_};
};

TEST_F(FollowerTest, ArrivesAtTheSameState) {
  say(5);
  const auto follower = open(&wire_);
  ASSERT_TRUE(follower->follow().ok());
  EXPECT_EQ(follower->size(), desk_.follower->size());
  EXPECT_EQ(fold::state_hash(follower->state()), fold::state_hash(desk_.follower->state()));
  EXPECT_EQ(follower->vkey(), hub_.vkey());
}

TEST_F(FollowerTest, ARestartFetchesOnlyWhatIsNew) {
  say(3);
  std::uint64_t size = 0;
  {
    const auto follower = open(&wire_);
    ASSERT_TRUE(follower->follow().ok());
    size = follower->size();
  }
  const auto follower = open(&wire_);
  EXPECT_EQ(follower->size(), size);
  ASSERT_TRUE(follower->follow().ok());
  EXPECT_EQ(wire_.asked("GET /log?from=0&"), 1);
}

TEST_F(FollowerTest, WorksOffline) {
  say(3);
  ASSERT_TRUE(open(&wire_)->follow().ok());
  const auto follower = open(nullptr, "");
  EXPECT_GE(follower->size(), 4u);
  EXPECT_EQ(follower->follow().error().code, ErrorCode::unavailable);
  std::uint64_t seen = 0;
  ASSERT_TRUE(follower
                  ->for_each([&seen](std::uint64_t index, View) {
                    EXPECT_EQ(index, seen++);
                    return ok();
                  })
                  .ok());
  EXPECT_EQ(seen, follower->size());
}

TEST_F(FollowerTest, ATornTailIsFetchedAgain) {
  say(3);
  ASSERT_TRUE(open(&wire_)->follow().ok());
  const std::string file = dir() + "/entries.bin";
  fs::resize_file(file, fs::file_size(file) - 7);
  const auto follower = open(&wire_);
  ASSERT_TRUE(follower->follow().ok());
  EXPECT_EQ(fold::state_hash(follower->state()), fold::state_hash(desk_.follower->state()));
}

TEST_F(FollowerTest, UnconfirmedBytesAtTheEndAreDropped) {
  say(3);
  std::uint64_t size = 0;
  {
    const auto follower = open(&wire_);
    ASSERT_TRUE(follower->follow().ok());
    size = follower->size();
  }
  std::ofstream(dir() + "/entries.bin", std::ios::app | std::ios::binary) << "half of something";
  const auto follower = open(&wire_);
  EXPECT_EQ(follower->size(), size);
  say(1);
  ASSERT_TRUE(follower->follow().ok());
  EXPECT_EQ(fold::state_hash(open(&wire_)->state()), fold::state_hash(desk_.follower->state()));
}

TEST_F(FollowerTest, AChangedByteOnDiskIsFound) {
  say(3);
  ASSERT_TRUE(open(&wire_)->follow().ok());
  {
    std::fstream file(dir() + "/entries.bin", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(400);
    file.put('!');
  }
  const auto opened = Follower::open({kHubUrl, dir(), std::nullopt}, &wire_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
}

TEST_F(FollowerTest, AChangedEntryOnTheWireIsEvidence) {
  say(3);
  wire_.after = [](const WireRequest&, WireResponse response) -> Result<WireResponse> {
    response.body[response.body.size() - 20] ^= 1;
    return response;
  };
  const auto follower = open(&wire_);
  const auto followed = follower->follow();
  ASSERT_FALSE(followed.ok());
  EXPECT_EQ(followed.error().code, ErrorCode::corrupt);
  EXPECT_THAT(followed.error().message, ::testing::HasSubstr("entries 0 to"));
  EXPECT_TRUE(fs::exists(dir() + "/evidence"));
  EXPECT_EQ(follower->size(), 0u);
}

TEST_F(FollowerTest, AnotherHubsKeyIsRefused) {
  say(1);
  ASSERT_TRUE(open(&wire_)->follow().ok());
  TestHub impostor(10, "impostor");
  DirectWire wire(impostor);
  const auto follower = open(&wire);
  const auto followed = follower->follow();
  ASSERT_FALSE(followed.ok());
  EXPECT_EQ(followed.error().code, ErrorCode::refused);
}

TEST_F(FollowerTest, APinnedKeyMustBeTheHubs) {
  TestHub other(10, "impostor");
  auto opened = Follower::open({kHubUrl, dir(), other.vkey()}, &wire_);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ((*opened)->follow().error().code, ErrorCode::refused);
}

TEST_F(FollowerTest, AForkOfTheSameLogIsEvidence) {
  // The same key signs another history of the same length or longer.
  say(2);
  const auto follower = open(&wire_);
  ASSERT_TRUE(follower->follow().ok());
  TestHub fork;
  Desk desk(fork, "somebody else", folder_.path() + "/fork");
  for (int i = 0; i < 10; ++i) {
    Payload draft;
    draft.kind = "test-note";
    ASSERT_TRUE(desk.publisher->post(draft).ok());
  }
  DirectWire wire(fork);
  const auto again = open(&wire);
  const auto followed = again->follow();
  ASSERT_FALSE(followed.ok());
  EXPECT_EQ(followed.error().code, ErrorCode::corrupt);
  EXPECT_TRUE(fs::exists(dir() + "/evidence"));
}

TEST_F(FollowerTest, NonsenseIsAnOutage) {
  for (const char* body : {"", "hello", "<html>busy</html>\n\nentries 0 0 0\n"}) {
    wire_.before = [body](const WireRequest&) -> std::optional<Result<WireResponse>> {
      return WireResponse{200, {}, to_bytes(body)};
    };
    EXPECT_EQ(open(&wire_)->follow().error().code, ErrorCode::unavailable) << body;
  }
}

TEST_F(FollowerTest, TellsAHubThatHasForgotten) {
  say(5);
  {
    const auto follower = open(&wire_);
    ASSERT_TRUE(follower->follow().ok());
  }
  TestHub old;  // the same key, nearly empty: the oldest backup there is
  DirectWire wire(old);
  const auto follower = open(&wire);
  EXPECT_EQ(follower->follow().error().code, ErrorCode::unavailable);
  EXPECT_EQ(wire.asked("POST /checkpoint"), 1);
  WireRequest health;
  health.url = std::string(kHubUrl) + "/health";
  const WireResponse answer = old.answer(health);
  EXPECT_THAT(std::string(text(answer.body)), ::testing::HasSubstr("read-only"));
  EXPECT_THAT(std::string(text(answer.body)), ::testing::HasSubstr("an old copy was put back"));
}

}  // namespace
}  // namespace harambee::node::testing

// A record reaches the log exactly once, whatever happens on the way.
#include "node/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/world.h"

namespace harambee::node::testing {
namespace {

Payload note(int n) {
  Payload draft;
  draft.kind = "test-note";
  draft.body = JsonObject{{"n", n}};
  return draft;
}

class PublisherTest : public ::testing::Test {
 protected:
  std::uint64_t records_of(const std::string& who) {
    EXPECT_TRUE(desk_.follower->follow().ok());
    return desk_.follower->state().next_seq(key_of(who).id());
  }
  std::string dir(const std::string& who) { return folder_.path() + "/" + who; }

  TestHub hub_;
  TemporaryFolder folder_;
  Desk desk_{hub_, "writer", dir("writer")};
};

TEST_F(PublisherTest, SaysWhoItIsFirst) {
  const auto posted = desk_.publisher->post(note(1));
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(records_of("writer"), 2u);
  EXPECT_GT(desk_.follower->size(), posted->index);
  EXPECT_FALSE((*desk_.publisher->pending()).has_value());
}

TEST_F(PublisherTest, ALostAnswerDoesNotDoubleTheRecord) {
  int lost = 0;
  desk_.wire.after = [&lost](const WireRequest& request,
                             WireResponse response) -> Result<WireResponse> {
    if (request.method == "POST" && lost++ < 2) {
      return fail(ErrorCode::unavailable, "the answer was lost");
    }
    return response;
  };
  ASSERT_TRUE(desk_.publisher->post(note(1)).ok());
  EXPECT_EQ(records_of("writer"), 2u);
}

TEST_F(PublisherTest, BusyIsWaitedOut) {
  int busy = 0;
  desk_.wire.before = [&busy](const WireRequest& request) -> std::optional<Result<WireResponse>> {
    if (request.method != "POST" || busy++ >= 3) return std::nullopt;
    return WireResponse{busy == 1 ? 429 : 503, {}, to_bytes("busy")};
  };
  ASSERT_TRUE(desk_.publisher->post(note(1)).ok());
  EXPECT_EQ(records_of("writer"), 2u);
}

TEST_F(PublisherTest, TwoProcessesOfOneKeyTakeTurns) {
  Desk other(hub_, "writer", dir("other"));
  ASSERT_TRUE(desk_.publisher->post(note(1)).ok());
  ASSERT_TRUE(other.publisher->post(note(2)).ok());
  // This one's copy of the log does not know of that yet: 409, follow, sign anew.
  const auto posted = desk_.publisher->post(note(3));
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(records_of("writer"), 4u);
}

TEST_F(PublisherTest, APreparedRecordSurvivesARestart) {
  const auto id = desk_.publisher->prepare(note(7));
  ASSERT_TRUE(id.ok());
  Desk restarted(hub_, "writer", dir("writer"));
  const auto pending = restarted.publisher->pending();
  ASSERT_TRUE(pending.ok() && pending->has_value());
  EXPECT_EQ((*pending)->body, note(7).body);
  const auto posted = restarted.publisher->finish();
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(posted->id, *id);
}

TEST_F(PublisherTest, ALeftOverRecordGoesFirst) {
  ASSERT_TRUE(desk_.publisher->prepare(note(1)).ok());
  Desk restarted(hub_, "writer", dir("writer"));
  ASSERT_TRUE(restarted.publisher->post(note(2)).ok());
  EXPECT_EQ(records_of("writer"), 3u);
}

TEST_F(PublisherTest, ARefusalIsFinal) {
  desk_.wire.before = [](const WireRequest& request) -> std::optional<Result<WireResponse>> {
    if (request.method != "POST") return std::nullopt;
    return WireResponse{400, {}, to_bytes("not today")};
  };
  const auto posted = desk_.publisher->post(note(1));
  ASSERT_FALSE(posted.ok());
  EXPECT_EQ(posted.error().code, ErrorCode::refused);
  EXPECT_THAT(posted.error().message, ::testing::HasSubstr("not today"));
  EXPECT_FALSE((*desk_.publisher->pending()).has_value());
}

TEST_F(PublisherTest, StoppingKeepsTheRecord) {
  ASSERT_TRUE(desk_.publisher->ensure_identity().ok());
  desk_.wire.before = [this](const WireRequest& request) -> std::optional<Result<WireResponse>> {
    if (request.method != "POST") return std::nullopt;
    desk_.clock.stop();
    return fail(ErrorCode::unavailable, "no network");
  };
  const auto posted = desk_.publisher->post(note(1));
  ASSERT_FALSE(posted.ok());
  EXPECT_EQ(posted.error().code, ErrorCode::cancelled);
  EXPECT_TRUE((*desk_.publisher->pending()).has_value());
}

}  // namespace
}  // namespace harambee::node::testing

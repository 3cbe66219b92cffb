#include "fold/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fold/status.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

class Explain : public ::testing::Test {
 protected:
  Explain() : swarm({"v1", "v2", "v3"}, recipe()) {
    swarm.join({"t1", "t2", "t3"});
    swarm.start();
  }
  static Recipe recipe() {
    Recipe recipe = small_recipe();
    recipe.rounds = 100;
    return recipe;
  }
  // Every reason points at the record that is really there, in log order.
  void expect_sound(const Explanation& explanation) {
    std::uint64_t last = 0;
    for (const Reason& reason : explanation.reasons) {
      EXPECT_GE(reason.place.index, last);
      last = reason.place.index;
      ASSERT_LT(reason.place.index, swarm.entries.size());
      EXPECT_EQ(parse_envelope(swarm.entries[reason.place.index])->id(), reason.place.id);
    }
  }
  Swarm swarm;
};

TEST_F(Explain, APeersStandingAndEveryCreditItEarned) {
  swarm.play_round({"t1", "t2", "t3"}, {{"t1", -1}});
  swarm.play_round({"t1", "t2"});
  const Result<Explanation> t1 = explain_peer(swarm.run(), swarm.id("t1"));
  ASSERT_TRUE(t1.ok());
  expect_sound(*t1);
  EXPECT_EQ(t1->verdict, "trainer (1 accepted, 1 rejected, 0 missed); 0.400000 credits");
  const std::string text = to_text(*t1);
  EXPECT_THAT(text, HasSubstr("joined as member 0"));
  EXPECT_THAT(text, HasSubstr("rejected its contribution: gain -0.000000001"));
  EXPECT_THAT(text, HasSubstr("earned 0.400000 credits"));

  EXPECT_THAT(to_text(*explain_peer(swarm.run(), swarm.id("t3"))), HasSubstr("missed round 1"));
  EXPECT_THAT(to_text(*explain_peer(swarm.run(), swarm.id("v1"))),
              HasSubstr("scored round 0; earned 0.050000 credits"));
  EXPECT_THAT(to_text(*explain_peer(swarm.run(), swarm.id("coordinator"))),
              HasSubstr("closed round 1; earned 0.050000 credits"));
  EXPECT_THAT(explain_peer(swarm.run(), swarm.id("maintainer"))->verdict, HasSubstr("maintainer"));
}

TEST_F(Explain, AnExclusionAndTheRefusalsAfterIt) {
  for (int i = 0; i < 6; ++i) swarm.play_round({"t1", "t2", "t3"}, {{"t3", -9}});
  swarm.contribute("t3");
  const Result<Explanation> t3 = explain_peer(swarm.run(), swarm.id("t3"));
  ASSERT_TRUE(t3.ok());
  expect_sound(*t3);
  EXPECT_THAT(t3->verdict, HasSubstr("excluded trainer"));
  EXPECT_THAT(to_text(*t3), HasSubstr("excluded: rejected in 6 rounds in a row"));
  EXPECT_THAT(to_text(*t3), HasSubstr("its contribution record changed nothing"));
}

TEST_F(Explain, AContributionAcceptedOpenOrRefused) {
  const RecordId refused = (swarm.contribute("stranger"), swarm.last);
  swarm.contribute({"t1"});
  const RecordId first = swarm.last;
  EXPECT_THAT(explain_contribution(swarm.run(), first)->verdict, HasSubstr("not scored yet"));
  swarm.contribute({"t2", "t3"});
  swarm.tick_after(1);
  swarm.give_score("v1", swarm.score());
  EXPECT_THAT(explain_contribution(swarm.run(), first)->verdict, HasSubstr("would be accepted"));
  swarm.give_score("v2", swarm.score());
  swarm.give_score("v3", swarm.score());
  swarm.give_close(swarm.close());
  const Result<Explanation> closed = explain_contribution(swarm.run(), first);
  expect_sound(*closed);
  EXPECT_EQ(closed->verdict, "accepted in round 0");
  EXPECT_EQ(closed->reasons.size(), 5u);  // commit, three scores, close
  EXPECT_EQ(explain_contribution(swarm.run(), refused)->verdict,
            "not taken: the author has not joined this run");
  EXPECT_EQ(explain_contribution(swarm.run(), digest_of("no such")).error().code,
            ErrorCode::not_found);
}

TEST_F(Explain, ARound) {
  swarm.play_round({"t1", "t2"}, {{"t2", -1}});
  const Result<Explanation> closed = explain_round(swarm.run(), 0);
  ASSERT_TRUE(closed.ok());
  expect_sound(*closed);
  EXPECT_EQ(closed->verdict, "closed: 1 of 2 contributions accepted");
  EXPECT_THAT(to_text(*closed), HasSubstr("was expected and did not commit"));
  EXPECT_EQ(explain_round(swarm.run(), 1)->verdict, "open, in phase commit");
  EXPECT_FALSE(explain_round(swarm.run(), 2).ok());
  EXPECT_FALSE(explain_round(swarm.run(), -1).ok());
}

TEST_F(Explain, NothingOfStrangers) {
  EXPECT_EQ(explain_peer(swarm.run(), digest_of("nobody")).error().code, ErrorCode::not_found);
}

TEST_F(Explain, JsonIsCanonical) {
  swarm.play_round({"t1", "t2", "t3"});
  const std::string json = write(to_json(*explain_peer(swarm.run(), swarm.id("t1"))));
  EXPECT_TRUE(parse_canonical(view(json)).ok());
}

TEST_F(Explain, StatusShowsTheRun) {
  Swarm waiting;
  EXPECT_TRUE(status_json(waiting.state, waiting.run()).find("weights")->is_null());
  swarm.play_round({"t1", "t2", "t3"}, {{"t3", -9}});
  swarm.contribute({"t1"});
  const Json status = status_json(swarm.state, swarm.run());
  ASSERT_TRUE(parse_canonical(view(write(status))).ok());
  EXPECT_EQ(*status.find("phase"), Json("commit"));
  EXPECT_EQ(*status.find("round"), Json(1));
  EXPECT_EQ(*status.find("rounds"), Json(100));
  EXPECT_EQ(*status.find("loss_nanos"), Json(2'450'000'000));
  EXPECT_EQ(*status.find("distributed_micros"), Json(1'000'000));
  EXPECT_EQ(*status.find("open")->find("waiting_for"), Json(2));
  EXPECT_EQ(*status.find("deadline_ms"), Json(swarm.run().round.opened_ms + 8000));
  const JsonArray& members = *status.find("members")->array();
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(*members[0].find("standing"), Json("committed"));
  EXPECT_EQ(*members[1].find("standing"), Json("expected"));
  EXPECT_EQ(*members[2].find("rejected_streak"), Json(1));
}

}  // namespace
}  // namespace harambee::fold

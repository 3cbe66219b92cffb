// What a run's repository says of weights that a void took back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fold/void_fold.h"
#include "hub/hf_runs.h"
#include "tests/fold/log_builder.h"

namespace harambee::hub {
namespace {

using fold::testing::Swarm;
using testing::ElementsAre;
using testing::HasSubstr;

void score_round(Swarm& swarm, std::int64_t loss_nanos) {
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(1);
  for (const std::string& name : swarm.validator_names) {
    fold::Score score = swarm.score();
    score.loss_nanos = loss_nanos;
    EXPECT_EQ(swarm.give_score(name, score).reason, "");
  }
}

TEST(HfVoid, LosesTheTagAndKeepsTheCommit) {
  Swarm swarm;
  swarm.join({"t1", "t2"});
  swarm.start();
  score_round(swarm, 2'450'000'000);
  EXPECT_EQ(swarm.give_close(swarm.close()).reason, "");
  score_round(swarm, 3'450'000'000);
  const auto due = fold::void_due(swarm.run());
  ASSERT_TRUE(due);
  fold::Void act{swarm.run_id, 1, due->weights, fold::testing::digest_of("zeros"), {}};
  act.checkpoint = BlobRef{act.weights, 100, std::string(fold::kWeightsType)};
  EXPECT_EQ(swarm.say("coordinator", write(act)).reason, "");

  Folded folded;
  folded.state = swarm.state;
  const HfRepo repo = run_repo(folded, swarm.run(), HfType::model, HfExtent::all_commits);
  std::vector<std::string> tags;
  for (const auto& [name, record] : repo.tags) tags.push_back(name);
  EXPECT_THAT(tags, ElementsAre("round-0", "round-2"));
  std::vector<std::string> titles;
  for (const HfCommit& commit : repo.commits) titles.push_back(commit.title);
  EXPECT_THAT(titles,
              ElementsAre(HasSubstr("Open the run"), HasSubstr("Start"),
                          "Round 1: 2 of 2 contributions accepted, held-out loss before it 2.45 "
                          "nats (taken back by the next round)",
                          "Round 2: void, held-out loss had risen to 3.45 nats; back to the "
                          "weights before round 1"));
}

}  // namespace
}  // namespace harambee::hub

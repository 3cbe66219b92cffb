// Forks: a run that begins with the weights that another one has reached.
#include "fold/lineage.h"

#include <gtest/gtest.h>

#include "fold/status.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold::testing {
namespace {

class Lineage : public ::testing::Test {
 protected:
  Lineage() {
    swarm.start();
    swarm.join({"a", "b"});
  }
  // Another run of the same log, which starts with a blob of this name.
  const RunState& second(const std::string& weights) {
    EXPECT_EQ(swarm.say("maintainer", write(swarm.open_run(small_recipe(), "second"))).reason, "");
    const RecordId id = swarm.last;
    Start start;
    start.run = id;
    start.checkpoint = blob(weights, kWeightsType);
    EXPECT_EQ(swarm.say("maintainer", write(start)).reason, "");
    return swarm.state.runs.at(id);
  }
  Swarm swarm;
};

TEST_F(Lineage, ARunThatBeginsElsewhereHasNoParent) {
  EXPECT_FALSE(parent_of(swarm.state, second("of its own")));
  EXPECT_FALSE(parent_of(swarm.state, swarm.run()));
}

TEST_F(Lineage, ARunThatBeginsWithAnothersFirstWeights) {
  const auto parent = parent_of(swarm.state, second("weights 0"));
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->run, swarm.run_id);
  EXPECT_EQ(parent->rounds, 0);
  EXPECT_FALSE(parent_of(swarm.state, swarm.run())) << "it was there before";
}

TEST_F(Lineage, ARunThatBeginsWithWhatAnotherHasReached) {
  RunState& run = swarm.state.runs.at(swarm.run_id);
  // A round that accepted nothing leaves the weights: the first that had them counts.
  for (const char* weights : {"one", "two", "two"}) {
    ClosedRound round;
    round.number = static_cast<std::int64_t>(run.history.size());
    round.close = {run.history.size() + 1, digest_of("close")};
    round.weights = digest_of(weights);
    run.history.push_back(round);
  }
  const RunState& fork = second("two");
  const auto parent = parent_of(swarm.state, fork);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->run, swarm.run_id);
  EXPECT_EQ(parent->rounds, 2);
  const Json status = status_json(swarm.state, fork);
  EXPECT_EQ(*status.find("parent"), Json(JsonObject{{"name", "demo"}, {"rounds", 2}}));
  EXPECT_TRUE(status_json(swarm.state, swarm.run()).find("parent")->is_null());
}

}  // namespace
}  // namespace harambee::fold::testing

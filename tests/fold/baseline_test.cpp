// Curves to hold a run against: who may say them, how many, of what form, and what depends on them.
#include "fold/baseline.h"

#include <gtest/gtest.h>

#include "fold/explain.h"
#include "fold/status.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold::testing {
namespace {

Baseline some_baseline(const Swarm& swarm, const std::string& label = "one machine alone") {
  return {swarm.run_id,
          label,
          BaselineOver::tokens,
          {{0, 2'500'000'000}, {1'000'000, 2'100'000'000}, {2'000'000, 1'900'000'000}}};
}

TEST(Baseline, IsReadAsItWasWritten) {
  Swarm swarm;
  Baseline act = some_baseline(swarm);
  EXPECT_EQ(*parse_baseline(write(act)), act);
  act.over = BaselineOver::rounds;
  act.points = {{7, 0}};
  EXPECT_EQ(*parse_baseline(write(act)), act);
}

TEST(Baseline, RefusesWhatIsNoBaseline) {
  Swarm swarm;
  const Payload good = write(some_baseline(swarm));
  const auto refused = [&](const char* key, Json value) {
    Payload payload = good;
    payload.body.object()->insert_or_assign(key, std::move(value));
    const Result<Baseline> read = parse_baseline(payload);
    return read.ok() ? std::string() : read.error().message;
  };
  const auto points = [](std::vector<std::pair<std::int64_t, std::int64_t>> pairs) {
    JsonArray out;
    for (const auto& [at, loss] : pairs) out.push_back(JsonArray{at, loss});
    return out;
  };
  EXPECT_EQ(refused("points", points({{kTokensMax, kNanosMax}})), "");
  EXPECT_EQ(refused("label", std::string(kNameBytesMax, 'x')), "");
  EXPECT_NE(refused("label", std::string(kNameBytesMax + 1, 'x')), "");
  EXPECT_NE(refused("label", ""), "");
  EXPECT_NE(refused("label", "a \"quoted\" one"), "");
  EXPECT_NE(refused("over", "time"), "");
  EXPECT_NE(refused("surprise", 1), "");
  EXPECT_NE(refused("points", JsonArray{}), "");
  EXPECT_NE(refused("points", "none"), "");
  EXPECT_NE(refused("points", JsonArray{Json(1)}), "");
  EXPECT_NE(refused("points", JsonArray{JsonArray{1, 2, 3}}), "");
  EXPECT_NE(refused("points", JsonArray{JsonArray{1, "2"}}), "");
  EXPECT_NE(refused("points", points({{-1, 0}})), "");
  EXPECT_NE(refused("points", points({{0, -1}})), "");
  EXPECT_NE(refused("points", points({{kTokensMax + 1, 0}})), "");
  EXPECT_NE(refused("points", points({{0, kNanosMax + 1}})), "");
  EXPECT_NE(refused("points", points({{1, 5}, {1, 4}})), "");
  EXPECT_NE(refused("points", points({{2, 5}, {1, 4}})), "");
  Payload with_blob = good;
  with_blob.blobs = {blob("any", kWeightsType)};
  EXPECT_FALSE(parse_baseline(with_blob).ok());
  Payload with_round = good;
  with_round.round = 1;
  EXPECT_FALSE(parse_baseline(with_round).ok());
}

TEST(Baseline, TheLargestFitsIntoARecordAndOneMorePointIsRefused) {
  Swarm swarm;
  Baseline act = some_baseline(swarm, std::string(kNameBytesMax, 'x'));
  act.points.clear();
  for (std::size_t i = 0; i < kBaselinePointsMax; ++i) {
    const auto after = static_cast<std::int64_t>(kBaselinePointsMax - 1 - i);
    act.points.push_back({kTokensMax - after, kNanosMax});
  }
  EXPECT_EQ(swarm.say("maintainer", write(act)).reason, "");
  EXPECT_EQ(swarm.run().baselines.at(0).act, act);
  act.label = "another";
  act.points.insert(act.points.begin(), {0, 0});
  EXPECT_NE(swarm.say("maintainer", write(act)).reason, "");
}

TEST(Baseline, OnlyTheMaintainerSaysItOnceALabelAndNotTooOften) {
  Swarm swarm;
  for (const char* who : {"coordinator", "v1", "stranger"}) {
    EXPECT_EQ(swarm.say(who, write(some_baseline(swarm))).reason,
              "only the run's maintainer puts baselines on the log");
  }
  EXPECT_TRUE(swarm.run().baselines.empty());
  EXPECT_EQ(swarm.say("maintainer", write(some_baseline(swarm))).reason, "");
  EXPECT_EQ(swarm.say("maintainer", write(some_baseline(swarm))).reason,
            "label: the run has a baseline one machine alone");
  for (std::size_t i = 1; i < kBaselinesMax; ++i) {
    EXPECT_EQ(swarm.say("maintainer", write(some_baseline(swarm, std::to_string(i)))).reason, "");
  }
  EXPECT_NE(swarm.say("maintainer", write(some_baseline(swarm, "one more"))).reason, "");
  EXPECT_EQ(swarm.run().baselines.size(), kBaselinesMax);
}

TEST(Baseline, ChangesNothingElse) {
  Swarm swarm;
  swarm.start();
  RunState before = swarm.run();
  ASSERT_EQ(swarm.say("maintainer", write(some_baseline(swarm))).effect, Effect::applied);
  RunState after = swarm.run();
  EXPECT_EQ(after.baselines.size(), 1u);
  after.baselines.clear();
  const auto hash = [](RunState run) {
    LogState alone;
    alone.runs.emplace(run.id, std::move(run));
    return state_hash(alone);
  };
  EXPECT_EQ(hash(std::move(after)), hash(std::move(before)));
}

TEST(Baseline, IsInTheStatusAndExplained) {
  Swarm swarm;
  ASSERT_EQ(swarm.say("maintainer", write(some_baseline(swarm))).reason, "");
  const Json status = status_json(swarm.state, swarm.run());
  const JsonArray& all = *status.find("baselines")->array();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(*all[0].find("label")->string(), "one machine alone");
  EXPECT_EQ(*all[0].find("over")->string(), "tokens");
  EXPECT_EQ(*all[0].find("id")->string(), swarm.last.hex());
  EXPECT_EQ((*all[0].find("points")->array())[1], Json(JsonArray{1'000'000, 2'100'000'000}));
  const auto told = explain_peer(swarm.run(), swarm.id("maintainer"));
  ASSERT_TRUE(told.ok());
  EXPECT_NE(to_text(*told).find("put the baseline one machine alone beside it"), std::string::npos);
}

}  // namespace
}  // namespace harambee::fold::testing

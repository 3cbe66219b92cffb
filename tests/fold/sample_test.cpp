// Texts of past rounds: who may say them, of which weights, and that nothing else depends on them.
#include "fold/sample.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold::testing {
namespace {

Sample some_sample(const Swarm& swarm, std::int64_t round, const Digest& weights) {
  Sample act;
  act.run = swarm.run_id;
  act.round = round;
  act.weights = weights;
  act.numeric_class = "exact-1";
  act.seed = sample_seed(swarm.run_id);
  act.temperature = *Decimal::parse("0.8");
  act.bytes = 4;
  act.texts = {{to_bytes("The "), Bytes{0x00, 0xff, 0x1b, 0x5b}}, {{}, to_bytes("text")}};
  return act;
}

TEST(Sample, IsReadAsItWasWritten) {
  Swarm swarm;
  const Sample act = some_sample(swarm, 3, digest_of("weights 3"));
  const Result<Sample> read = parse_sample(write(act));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, act);
}

TEST(Sample, RefusesWhatIsNoSample) {
  Swarm swarm;
  const Payload good = write(some_sample(swarm, 0, digest_of("weights 0")));
  const auto refused = [&](const char* key, Json value) {
    Payload payload = good;
    payload.body.object()->insert_or_assign(key, std::move(value));
    const Result<Sample> read = parse_sample(payload);
    return read.ok() ? std::string() : read.error().message;
  };
  const auto texts = [](const std::string& prompt, const std::string& text) {
    return JsonArray{JsonObject{{"prompt", prompt}, {"text", text}}};
  };
  EXPECT_NE(refused("bytes", 3), "");  // the texts have four
  EXPECT_NE(refused("bytes", 0), "");
  EXPECT_NE(refused("bytes", kSampleBytesMax + 1), "");
  EXPECT_NE(refused("temperature", "11"), "");
  EXPECT_NE(refused("temperature", "-1"), "");
  EXPECT_NE(refused("seed", "00"), "");
  EXPECT_NE(refused("class", "no class"), "");
  EXPECT_NE(refused("surprise", 1), "");
  EXPECT_NE(refused("texts", JsonArray{}), "");
  EXPECT_NE(refused("texts", texts("", "not base64")), "");
  EXPECT_NE(refused("texts", texts("", base64(Bytes(5)))), "");
  EXPECT_NE(refused("texts", texts(base64(Bytes(kSamplePromptBytesMax + 1)), base64(Bytes(4)))),
            "");
  EXPECT_EQ(refused("texts", texts(base64(Bytes(kSamplePromptBytesMax)), base64(Bytes(4)))), "");
  JsonArray many = texts("", base64(Bytes(4)));
  many.resize(kSampleTextsMax + 1, many[0]);
  EXPECT_NE(refused("texts", many), "");
  Payload with_blob = good;
  with_blob.blobs = {blob("any", kWeightsType)};
  EXPECT_FALSE(parse_sample(with_blob).ok());
  Payload without_round = good;
  without_round.round.reset();
  EXPECT_FALSE(parse_sample(without_round).ok());
}

TEST(Sample, TheLargestFitsIntoARecord) {
  Swarm swarm;
  swarm.start();
  Sample act = some_sample(swarm, 0, swarm.run().weights);
  act.numeric_class = std::string(kNameBytesMax, 'c');
  act.temperature = Decimal{9'123'456'789};
  act.bytes = kSampleBytesMax;
  act.texts.assign(kSampleTextsMax, {Bytes(kSamplePromptBytesMax), Bytes(kSampleBytesMax)});
  EXPECT_EQ(swarm.say("coordinator", write(act)).reason, "");
}

TEST(Sample, OfRoundsThatAreClosedByThoseWhoRunTheRun) {
  Swarm swarm;
  EXPECT_NE(swarm.say("coordinator", write(some_sample(swarm, 0, digest_of("w")))).reason, "");
  swarm.start();
  const Digest first = swarm.run().weights;
  EXPECT_EQ(swarm.say("coordinator", write(some_sample(swarm, 0, first))).reason, "");
  EXPECT_EQ(swarm.say("v2", write(some_sample(swarm, 0, first))).reason, "");
  EXPECT_NE(swarm.say("stranger", write(some_sample(swarm, 0, first))).reason, "");
  EXPECT_NE(swarm.say("v2", write(some_sample(swarm, 1, first))).reason, "");
  EXPECT_NE(swarm.say("v2", write(some_sample(swarm, 0, digest_of("others")))).reason, "");
  Sample picked = some_sample(swarm, 0, first);
  picked.seed = digest_of("the prettiest of a hundred");
  EXPECT_NE(swarm.say("coordinator", write(picked)).reason, "");
}

TEST(Sample, ChangesNoStateOfTheRun) {
  Swarm swarm;
  swarm.start();
  const auto runs_hash = [&swarm] {
    LogState alone;  // but for the log's own progress
    alone.runs = swarm.state.runs;
    return state_hash(alone);
  };
  const Digest before = runs_hash();
  ASSERT_EQ(swarm.say("v1", write(some_sample(swarm, 0, swarm.run().weights))).effect,
            Effect::applied);
  EXPECT_EQ(runs_hash(), before);
}

}  // namespace
}  // namespace harambee::fold::testing

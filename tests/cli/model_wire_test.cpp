// A model on this machine as a server of OpenAI's completions: what `harambee serve` answers.
#include "cli/model_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/store/temporary_folder.h"

namespace harambee::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ModelWireTest : public ::testing::Test {
 protected:
  // tests/node/fake_trainer.py writes text that follows from weights, prompt and seed.
  ModelWire make(const std::string& mode = "good") {
    const std::string weights = home_.path() + "/model.safetensors";
    std::ofstream(weights) << "weights";
    node::TrainerOptions trainer;
    trainer.argv = {"python3", HARAMBEE_SOURCE "/tests/node/fake_trainer.py", mode};
    trainer.dir = home_.path() + "/work";
    std::filesystem::create_directories(trainer.dir);
    return {std::move(trainer), format::ModelConfig{}, weights, "tiny"};
  }
  static WireRequest question(const std::string& body) {
    WireRequest request;
    request.method = "POST";
    request.url = "http://model/v1/completions";
    request.body = view(body);
    return request;
  }
  static Result<WireResponse> ask(ModelWire& wire, const json& body) {
    const std::string bytes = body.dump();
    return wire.exchange(question(bytes));
  }
  static json told(const Result<WireResponse>& answer) {
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    return answer ? json::parse(text(answer->body), nullptr, false) : json();
  }

  TemporaryFolder home_;
};

TEST_F(ModelWireTest, SaysWhichModelItIs) {
  ModelWire wire = make();
  WireRequest request;
  request.url = "http://model/v1/models";
  const json list = told(wire.exchange(request));
  EXPECT_EQ(list.at("data").at(0).at("id"), "tiny");
}

TEST_F(ModelWireTest, WritesAsManyTokensAsAskedAndTheSameForTheSameSeed) {
  ModelWire wire = make();
  const json asked = {{"prompt", "a"}, {"max_tokens", 60}, {"seed", 7}};
  const json first = told(ask(wire, asked));
  EXPECT_EQ(first.at("object"), "text_completion");
  EXPECT_EQ(first.at("model"), "tiny");
  EXPECT_EQ(first.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(first.at("usage").at("prompt_tokens"), 1);
  EXPECT_EQ(first.at("usage").at("completion_tokens"), 60);
  EXPECT_EQ(first.at("usage").at("total_tokens"), 61);
  EXPECT_EQ(told(ask(wire, asked)), first);
  json other = asked;
  other["seed"] = 8;
  EXPECT_NE(told(ask(wire, other)), first);
  other = asked;
  other["prompt"] = "b";
  EXPECT_NE(told(ask(wire, other)), first);
}

TEST_F(ModelWireTest, StreamsTheSameTextInPieces) {
  ModelWire wire = make();
  json asked = {{"prompt", "a"}, {"max_tokens", 60}, {"seed", 7}, {"stream", true}};
  const std::string body = asked.dump();
  WireRequest request = question(body);
  std::string events;
  int parts = 0;
  request.on_part = [&](int status, View part) {
    EXPECT_EQ(status, 200);
    events += text(part);
    ++parts;
    return true;
  };
  const auto streamed = wire.exchange(request);
  ASSERT_TRUE(streamed.ok()) << streamed.error().message;
  EXPECT_TRUE(streamed->body.empty());
  EXPECT_GT(parts, 2);
  EXPECT_TRUE(events.ends_with("data: [DONE]\n\n"));
  std::string last_reason;
  std::istringstream lines(events);
  std::size_t bytes = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: {")) continue;
    const json choice = json::parse(line.substr(6)).at("choices").at(0);
    bytes += choice.at("text").get<std::string>().size();
    last_reason = choice.at("finish_reason").is_null() ? "" : choice.at("finish_reason");
  }
  EXPECT_GE(bytes, 60u);  // what is no text is shown by a longer sign
  EXPECT_EQ(last_reason, "length");
}

TEST_F(ModelWireTest, StopsWhenNobodyWaits) {
  ModelWire wire = make();
  const std::string body = R"({"prompt":"a","max_tokens":600,"stream":true})";
  WireRequest request = question(body);
  int parts = 0;
  request.on_part = [&](int, View) { return ++parts < 2; };
  const auto answer = wire.exchange(request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::cancelled);
  EXPECT_EQ(parts, 2);
}

TEST_F(ModelWireTest, RefusesWhatItCannotDo) {
  ModelWire wire = make();
  EXPECT_EQ(ask(wire, {{"prompt", 7}})->status, 400);
  EXPECT_THAT(std::string(text(ask(wire, {{"prompt", 7}})->body)), HasSubstr("error"));
  WireRequest chat = question("{}");
  chat.url = "http://model/v1/chat/completions";
  EXPECT_EQ(wire.exchange(chat)->status, 404);
  chat.method = "GET";
  EXPECT_EQ(wire.exchange(chat)->status, 404);
}

TEST_F(ModelWireTest, ATrainerThatCannotWriteIsAnErrorAndNotAnAnswer) {
  ModelWire mute = make("mute");
  const auto answer = ask(mute, {{"prompt", "a"}, {"max_tokens", 8}});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::refused);
  ModelWire wordy = make("manybytes");
  EXPECT_FALSE(ask(wordy, {{"prompt", "a"}, {"max_tokens", 8}}).ok());
}

}  // namespace
}  // namespace harambee::cli

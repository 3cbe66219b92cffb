// Trying the model through a hub: what passes, what never does, and what becomes of it.
#include "hub/try_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "hub/completion_request.h"

namespace harambee::hub {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class NoClock : public Clock {
 public:
  std::int64_t unix_ms() const override { return 0; }
  std::int64_t steady_ms() const override { return now; }
  bool wait_ms(std::int64_t) override { return true; }
  std::int64_t now = 1'000'000;
};

// A server in this process. A question is answered when the test opens the gate.
class GivenServer : public Wire {
 public:
  Result<WireResponse> exchange(const WireRequest& request) override {
    std::unique_lock lock(mutex);
    asked.push_back(request.method + " " + request.url);
    bodies.emplace_back(text(request.body));
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
    if (down) return fail(ErrorCode::unavailable, "connection refused");
    WireResponse response;
    response.status = status;
    if (request.url.ends_with("/props") && !chat) response.status = 404;
    const std::string body = request.url.ends_with("/props") ? R"({"chat_template":"{{x}}"})"
                             : request.url.ends_with("/v1/models")
                                 ? R"({"data":[{"id":"a\u001bb"}]})"
                                 : "";
    if (!body.empty()) response.body = to_bytes(body);
    const std::vector<std::string> parts = pieces;
    lock.unlock();
    if (!request.on_part) return response;
    for (const std::string& piece : parts) {
      if (!request.on_part(response.status, view(piece))) {
        return fail(ErrorCode::cancelled, "left");
      }
    }
    return response;
  }
  Traffic traffic() const override { return {}; }
  void set_open(bool now) {
    const std::lock_guard lock(mutex);
    open = now;
    changed.notify_all();
  }
  void wait_for_questions(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked.size() >= count; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;
  bool down = false;
  bool chat = false;
  int status = 200;
  std::vector<std::string> pieces = {"{\"choices\":", "[]}"};
  std::vector<std::string> asked;
  std::vector<std::string> bodies;
};

class TryModelTest : public testing::Test {
 protected:
  TryModelTest() {
    TryModelOptions options;
    options.wire = &server;
    options.url = "http://model";
    options.clock = &clock;
    options.running_max = 1;
    options.waiting_max = 2;
    model = std::make_unique<TryModel>(options, [this] {
      const std::lock_guard lock(mutex);
      ++wakes;
      woken.notify_all();
    });
  }
  ~TryModelTest() override {
    server.set_open(true);
    model.reset();
  }

  HttpResponse send(const std::string& method, const std::string& target,
                    const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = to_bytes(body);
    return model->handle(request).value_or(HttpResponse::error(599, "not ours"));
  }
  // As the server does: asks again whenever it is woken.
  HttpResponse resolve(HttpResponse response) {
    auto* wait = std::get_if<Wait>(&response.body);
    if (!wait) return response;
    for (;;) {
      std::uint64_t seen = 0;
      {
        const std::lock_guard lock(mutex);
        seen = wakes;
      }
      if (auto answer = wait->again(false)) return std::move(*answer);
      std::unique_lock lock(mutex);
      woken.wait(lock, [&] { return wakes != seen; });
    }
  }
  json post(const std::string& target, const std::string& body, int status = 200) {
    const HttpResponse answer = resolve(send("POST", target, body));
    EXPECT_EQ(answer.status, status);
    return json::parse(std::get<std::string>(answer.body));
  }

  GivenServer server;
  NoClock clock;
  std::mutex mutex;
  std::condition_variable woken;
  std::uint64_t wakes = 0;
  std::unique_ptr<TryModel> model;
};

TEST_F(TryModelTest, PassesOnWhatIsKnownAndNothingElse) {
  const json answer = post("/v1/completions",
                           R"({"prompt":"The ","max_tokens":9,"grammar":"x","n":99,"model":"other",
                               "cache_prompt":true,"seed":5})");
  EXPECT_EQ(answer, json::parse(R"({"choices":[]})"));
  EXPECT_THAT(server.asked, testing::ElementsAre("POST http://model/v1/completions"));
  EXPECT_EQ(json::parse(server.bodies[0]), json::parse(R"({"prompt":"The ","max_tokens":9,"seed":5,
            "temperature":0.8,"stream":false})"));
  post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"Hi","name":"x"}]})");
  EXPECT_EQ(json::parse(server.bodies[1])["messages"],
            json::parse(R"([{"role":"user","content":"Hi"}])"));
}

TEST_F(TryModelTest, RefusesWhatMakesNoSense) {
  for (const char* body :
       {"", "[]", "{", R"({"prompt":["a","b"]})", R"({"prompt":"a","max_tokens":0})",
        R"({"prompt":"a","temperature":3})", R"({"prompt":"a","stream":"yes"})",
        R"({"prompt":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{}}}}}}}}}})"}) {
    EXPECT_TRUE(post("/v1/completions", body, 400).contains("error")) << body;
  }
  post("/v1/completions", json{{"prompt", std::string(kCompletionTextBytesMax + 1, 'a')}}.dump(),
       400);
  for (const char* body :
       {"{}", R"({"messages":[]})", R"({"messages":[{"role":"root","content":""}]})",
        R"({"messages":[{"role":"user","content":[{"image_url":"x"}]}]})"}) {
    post("/v1/chat/completions", body, 400);
  }
  EXPECT_TRUE(server.asked.empty());
  for (const char* path : {"/v1/models", "/props", "/v1/completions/../props", "/slots"}) {
    EXPECT_EQ(send("GET", path).status, 599) << path;
    EXPECT_EQ(send("POST", path, "{}").status, 599) << path;
  }
  HttpRequest head;
  head.method = "POST";
  head.target = "/v1/completions";
  EXPECT_EQ(model->plan(head)->bytes_max, kCompletionBodyBytesMax);
  head.target = "/records";
  EXPECT_FALSE(model->plan(head).has_value());
}

TEST_F(TryModelTest, StreamsUntilTheServerHasSaidAll) {
  server.pieces = {"data: {}\n\n", "data: [DONE]\n\n"};
  HttpResponse answer = resolve(send("POST", "/v1/completions", R"({"prompt":"a","stream":true})"));
  EXPECT_EQ(answer.status, 200);
  Stream& stream = std::get<Stream>(answer.body);
  std::string said;
  for (std::string piece = stream.next(true); !piece.empty(); piece = stream.next(true)) {
    if (!piece.starts_with(':')) said += piece;
  }
  EXPECT_EQ(said, "data: {}\n\ndata: [DONE]\n\n");
}

TEST_F(TryModelTest, AFailureIsSaidInTheApisForm) {
  server.down = true;
  const json answer = post("/v1/completions", R"({"prompt":"a","stream":true})", 502);
  EXPECT_THAT(answer["error"]["message"].get<std::string>(), HasSubstr("connection refused"));
  server.down = false;
  server.status = 400;
  server.pieces = {R"({"error":{"message":"too warm"}})"};
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"a","stream":true})", 400)["error"]["message"],
            "too warm");
}

TEST_F(TryModelTest, FewQuestionsAreAskedAtOnceAndWhoLeavesFreesAPlace) {
  server.set_open(false);
  const std::string body = R"({"prompt":"a"})";
  HttpResponse running = send("POST", "/v1/completions", body);
  server.wait_for_questions(1);
  HttpResponse second = send("POST", "/v1/completions", body);
  HttpResponse third = send("POST", "/v1/completions", body);
  const HttpResponse fourth = send("POST", "/v1/completions", body);
  EXPECT_EQ(fourth.status, 503);
  third = {};  // its reader has gone
  HttpResponse fifth = send("POST", "/v1/completions", body);
  EXPECT_TRUE(std::holds_alternative<Wait>(fifth.body));
  server.set_open(true);
  for (HttpResponse* one : {&running, &second, &fifth}) {
    EXPECT_EQ(resolve(std::move(*one)).status, 200);
  }
  EXPECT_EQ(server.asked.size(), 3u);
}

TEST_F(TryModelTest, SaysWhetherThereIsAServerAndWhetherItChats) {
  const auto about = [this] {
    return json::parse(std::get<std::string>(resolve(send("GET", "/view/try")).body));
  };
  EXPECT_EQ(about(), json::parse(R"({"attached":true,"chat":false,"model":"ab"})"));
  server.chat = true;
  EXPECT_FALSE(about()["chat"]) << "believed for a while";
  clock.now += 60'000;
  EXPECT_TRUE(about()["chat"]);
  server.down = true;
  clock.now += 60'000;
  EXPECT_FALSE(about()["attached"]);
}

}  // namespace
}  // namespace harambee::hub

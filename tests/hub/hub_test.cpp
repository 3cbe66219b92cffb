// The HTTP API as values: no socket.
#include "hub/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "hub/blob_routes.h"
#include "hub/page.h"
#include "hub/world.h"

namespace harambee::hub {
namespace {

using testing::HasSubstr;

HttpRequest request(std::string method, std::string target, Bytes body = {}) {
  HttpRequest out;
  out.method = std::move(method);
  out.target = std::move(target);
  out.content_length = body.size();
  out.body = std::move(body);
  return out;
}

class HubTest : public testing::Test {
 protected:
  void SetUp() override {
    sequencer = *Sequencer::open(test_options(), test_key(200), *order, *shelf, clock);
    HubOptions options;
    options.vkey = hub_verifier().str();
    options.blob_bytes_max = 1000;
    options.free_bytes_min = 0;
    hub = make_hub(options, *sequencer, *order, *shelf, *blobs, [this] {
      const std::lock_guard lock(mutex);
      ++wakes;
      woken.notify_all();
    });
  }

  // As the server does it, with the sequencer's batches in between.
  HttpResponse ask(const HttpRequest& question) {
    BodyPlan plan = hub->plan(question);
    if (plan.refusal) return *plan.refusal;
    if (plan.sink) {
      if (auto status = plan.sink->write(question.body); !status) {
        return plan.sink->failed(status.error());
      }
      return settle(plan.sink->finish());
    }
    if (question.body.size() > plan.bytes_max) return HttpResponse::error(413, "server");
    return settle(hub->handle(question));
  }
  HttpResponse settle(HttpResponse response) {
    while (auto* wait = std::get_if<Wait>(&response.body)) {
      sequencer->run_batch();
      std::unique_lock lock(mutex);
      const int seen = wakes;
      lock.unlock();
      if (auto next = wait->again(false)) {
        response = *std::move(next);
        continue;
      }
      if (wait->long_poll) {
        response = wait->again(true).value();
        continue;
      }
      lock.lock();
      woken.wait(lock, [&] { return wakes > seen; });
    }
    return response;
  }
  HttpResponse get(const std::string& target,
                   std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpRequest question = request("GET", target);
    question.headers = std::move(headers);
    return ask(question);
  }
  HttpResponse put(const Digest& digest, std::string_view bytes, const std::string& range = "") {
    HttpRequest question = request("PUT", "/blobs/" + digest.hex(), to_bytes(bytes));
    if (!range.empty()) question.headers.emplace_back("content-range", range);
    return ask(question);
  }
  static std::string body(const HttpResponse& response) {
    const auto* text = std::get_if<std::string>(&response.body);
    return text != nullptr ? *text : "(no text)";
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }
  // Logs a record that names a blob.
  Digest expect_blob(std::string_view bytes) {
    if (!introduced) ask(request("POST", "/records", ada.introduce()));
    introduced = true;
    Payload draft = ada.draft("note");
    draft.blobs = {{sha256(view(bytes)), bytes.size(), "text/plain"}};
    EXPECT_EQ(ask(request("POST", "/records", ada.say(draft))).status, 200);
    return sha256(view(bytes));
  }

  std::unique_ptr<Order> order = store::make_memory_order();
  std::unique_ptr<Shelf> shelf = store::make_memory_shelf();
  std::unique_ptr<BlobShelf> blobs = store::make_memory_blobs();
  TestClock clock;
  std::unique_ptr<Sequencer> sequencer;
  std::mutex mutex;
  std::condition_variable woken;
  int wakes = 0;
  std::unique_ptr<HttpHandler> hub;
  Person ada{1};
  bool introduced = false;
};

TEST_F(HubTest, PostsARecord) {
  const Bytes hello = ada.introduce();
  const auto response = ask(request("POST", "/records", hello));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "Content-Type"), "application/json");
  EXPECT_EQ(body(response),
            "{\"id\":\"" + parse_envelope(hello)->id().hex() + "\",\"index\":2,\"size\":3}\n");
  EXPECT_EQ(body(ask(request("POST", "/records", hello))), body(response));
}

TEST_F(HubTest, SaysWhichSeqItExpects) {
  ask(request("POST", "/records", ada.introduce()));
  ada.say("lost");
  const auto response = ask(request("POST", "/records", ada.say("note")));
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(body(response), "{\"error\":\"the author's next seq is 1\",\"seq\":1}\n");
}

TEST_F(HubTest, LimitsEachBody) {
  EXPECT_EQ(ask(request("POST", "/records", Bytes(100'000, 'x'))).status, 413);
  EXPECT_EQ(ask(request("POST", "/tick", Bytes(2000, 'x'))).status, 413);
  EXPECT_EQ(ask(request("POST", "/records", to_bytes("nonsense"))).status, 400);
}

TEST_F(HubTest, Ticks) {
  EXPECT_EQ(body(ask(request("POST", "/tick"))), "{\"index\":1,\"size\":2,\"tick\":true}\n");
  EXPECT_EQ(body(ask(request("POST", "/tick"))), "{\"tick\":false}\n");
}

TEST_F(HubTest, ServesTheCheckpointAndTiles) {
  ask(request("POST", "/records", ada.introduce()));
  const auto checkpoint = get("/checkpoint");
  EXPECT_EQ(body(checkpoint), text(*shelf->read("checkpoint")));
  EXPECT_EQ(header(checkpoint, "Content-Type"), "text/plain; charset=utf-8");
  const auto tile = get("/tile/0/000.p/3");
  EXPECT_EQ(tile.status, 200);
  EXPECT_EQ(body(tile).size(), 96u);
  EXPECT_THAT(header(tile, "Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(get("/tile/entries/000.p/3").status, 200);
  for (const char* none : {"/tile/0/000", "/tile/0/000.p/4", "/tile/0/001.p/1", "/tile/1/000.p/1",
                           "/tile/0/0", "/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/",
                           "/tile/../key.pem", "/tile/entries/../../key.pem", "/tile/64/000"}) {
    EXPECT_EQ(get(none).status, 404) << none;
  }
}

TEST_F(HubTest, FollowsTheLog) {
  const auto entries = check_log(*shelf);
  const std::string head(text(*shelf->read("checkpoint")));
  EXPECT_EQ(body(get("/log?from=0")),
            head + "entries 0 1 " + std::to_string(entries[0].size() + 2) + "\n" +
                std::string(text(log::encode_bundle(std::span<const Bytes>(entries)))));
  EXPECT_EQ(body(get("/log?from=1")), head + "entries 1 0 0\n");
  EXPECT_EQ(body(get("/log?wait=0")), body(get("/log?from=0")));
  EXPECT_EQ(body(get("/log?from=77&wait=5")), head + "entries 77 0 0\n") << "at the deadline";
  for (const char* bad : {"/log?from=x", "/log?from=-1", "/log?from=01", "/log?from=0&wait=1.5",
                          "/log?from=99999999999999999999"}) {
    EXPECT_EQ(get(bad).status, 400) << bad;
  }
}

TEST_F(HubTest, GivesManyEntriesAtOnceButNoMoreThanAMebibyte) {
  sequencer->submit(ada.introduce());
  for (int i = 0; i < 700; ++i) {
    sequencer->submit(ada.say("note", {{"text", std::string(2000, 'x')}}));
  }
  sequencer->run_batch();
  const auto all = check_log(*shelf);
  std::vector<Bytes> got;
  while (got.size() < all.size()) {
    const std::string answer = body(get("/log?from=" + std::to_string(got.size())));
    std::size_t at = answer.find("entries " + std::to_string(got.size()) + " ");
    ASSERT_NE(at, std::string::npos);
    at = answer.find('\n', at) + 1;
    EXPECT_LT(answer.size() - at, (1u << 20) + 4096);
    while (at < answer.size()) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(answer.data()) + at;
      const std::size_t length = get_u16be(bytes);
      got.emplace_back(bytes + 2, bytes + 2 + length);
      at += 2 + length;
    }
  }
  EXPECT_EQ(got, all);
}

TEST_F(HubTest, ALongPollEndsWhenTheLogGrows) {
  HttpResponse response = hub->handle(request("GET", "/log?from=1&wait=99999999"));
  auto* wait = std::get_if<Wait>(&response.body);
  ASSERT_NE(wait, nullptr);
  EXPECT_EQ(wait->ms_max, 30'000);
  EXPECT_FALSE(wait->again(false).has_value());
  ask(request("POST", "/tick"));
  const auto answer = wait->again(false);
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(body(*answer), HasSubstr("entries 1 1 "));
}

TEST_F(HubTest, FindsRuns) {
  ask(request("POST", "/records", ada.introduce()));
  const Bytes run = ada.say("run", {{"name", "shakespeare"}});
  ask(request("POST", "/records", run));
  const std::string described =
      "{\"index\":3,\"name\":\"shakespeare\",\"origin\":\"hub.example/log\","
      "\"run\":\"" +
      parse_envelope(run)->id().hex() + "\"}";
  EXPECT_EQ(body(get("/runs/shakespeare")), described + "\n");
  EXPECT_EQ(body(get("/runs")), "{\"runs\":[" + described + "]}\n");
  EXPECT_EQ(get("/runs/nobody").status, 404);
  EXPECT_EQ(get("/runs/").status, 404);
}

TEST_F(HubTest, AnswersOtherQuestionsWithErrors) {
  EXPECT_EQ(get("/nowhere").status, 404);
  EXPECT_EQ(get("").status, 404);
  EXPECT_EQ(ask(request("DELETE", "/checkpoint")).status, 405);
  EXPECT_EQ(ask(request("POST", "/nowhere")).status, 404);
  EXPECT_EQ(ask(request("POST", "/checkpoint")).status, 400);
  EXPECT_EQ(ask(request("PUT", "/checkpoint")).status, 405);
  EXPECT_THAT(body(get("/health")), HasSubstr("\"status\":\"ok\""));
}

// ---- blobs ----

TEST_F(HubTest, TakesOnlyBlobsThatALoggedRecordNames) {
  const Digest unknown = sha256(view("hello"));
  EXPECT_EQ(put(unknown, "hello").status, 404);
  const Digest digest = expect_blob("hello");
  EXPECT_EQ(put(digest, "hello!").status, 404) << "another size";
  EXPECT_EQ(get("/blobs/" + digest.hex()).status, 404);
  EXPECT_EQ(put(digest, "hello").status, 201);
  EXPECT_EQ(body(get("/blobs/" + digest.hex())), "hello");
  EXPECT_EQ(put(digest, "hello").status, 200) << "again is fine";
}

TEST_F(HubTest, RefusesAWrongDigest) {
  const Digest digest = expect_blob("hello");
  EXPECT_EQ(put(digest, "hellO").status, 422);
  EXPECT_EQ(get("/blobs/" + digest.hex()).status, 404);
  EXPECT_EQ(put(digest, "hello").status, 201);
}

TEST_F(HubTest, ResumesAnUpload) {
  const Digest digest = expect_blob("hello world");
  const std::string state = "/uploads/" + digest.hex();
  EXPECT_EQ(header(get(state), "Upload-Offset"), "0");
  const auto part = put(digest, "hello", "bytes 0-4/11");
  EXPECT_EQ(part.status, 202);
  EXPECT_EQ(header(part, "Upload-Offset"), "5");
  EXPECT_EQ(header(get(state), "Upload-Offset"), "5");
  const auto gap = put(digest, "world", "bytes 6-10/11");
  EXPECT_EQ(gap.status, 409);
  EXPECT_EQ(header(gap, "Upload-Offset"), "5");
  EXPECT_EQ(put(digest, " world", "bytes 5-10/11").status, 201);
  EXPECT_EQ(body(get("/blobs/" + digest.hex())), "hello world");
  EXPECT_EQ(header(get(state), "Upload-Offset"), "11");
}

TEST_F(HubTest, ChecksUploadHeaders) {
  const Digest digest = expect_blob("hello");
  EXPECT_EQ(put(digest, "hello", "bytes 0-4/6").status, 404) << "no such size is logged";
  EXPECT_EQ(put(digest, "hello", "bytes 0-3/5").status, 400);
  EXPECT_EQ(put(digest, "hello", "octets 0-4/5").status, 400);
  HttpRequest without = request("PUT", "/blobs/" + digest.hex());
  without.content_length.reset();
  EXPECT_EQ(ask(without).status, 411);
  EXPECT_EQ(ask(request("PUT", "/blobs/short")).status, 400);
  EXPECT_EQ(put(expect_blob(std::string(1001, 'x')), std::string(1001, 'x')).status, 413);
}

TEST_F(HubTest, NobodyStandsInTheWayOfAnUpload) {
  const Digest digest = expect_blob("hello");
  const HttpRequest question = request("PUT", "/blobs/" + digest.hex(), to_bytes("hello"));
  const std::string state = "/uploads/" + digest.hex();
  {
    const BodyPlan slow = hub->plan(question);
    ASSERT_NE(slow.sink, nullptr);
    ASSERT_TRUE(slow.sink->write(view("hel")).ok());
    EXPECT_EQ(header(get(state), "Upload-Offset"), "0") << "nothing to resume while he writes";
    EXPECT_EQ(put(digest, "lo", "bytes 3-4/5").status, 409) << "nor can it be taken from him";
    EXPECT_EQ(put(digest, "hellO").status, 422);
  }
  // He went away: what came can be continued, whatever others sent meanwhile.
  EXPECT_EQ(header(get(state), "Upload-Offset"), "3");
  {
    const BodyPlan slow = hub->plan(question);
    ASSERT_TRUE(slow.sink->write(view("evi")).ok());
    EXPECT_EQ(put(digest, "hello").status, 201);
  }
  EXPECT_EQ(body(get("/blobs/" + digest.hex())), "hello");
}

TEST_F(HubTest, LimitsTheSendersOfOneBlob) {
  const Digest digest = expect_blob("hello");
  const HttpRequest question = request("PUT", "/blobs/" + digest.hex(), to_bytes("hello"));
  std::vector<BodyPlan> plans;
  for (int i = 0; i < 16; ++i) plans.push_back(hub->plan(question));
  EXPECT_NE(plans.back().sink, nullptr);
  const BodyPlan one_more = hub->plan(question);
  ASSERT_TRUE(one_more.refusal.has_value());
  EXPECT_EQ(one_more.refusal->status, 409);
  plans.clear();
  EXPECT_EQ(put(digest, "hello").status, 201);
}

TEST_F(HubTest, GivesRanges) {
  const Digest digest = expect_blob("hello");
  put(digest, "hello");
  const std::string path = "/blobs/" + digest.hex();
  const auto part = get(path, {{"range", "bytes=1-3"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(body(part), "ell");
  EXPECT_EQ(header(part, "Content-Range"), "bytes 1-3/5");
  EXPECT_EQ(body(get(path, {{"range", "bytes=-2"}})), "lo");
  EXPECT_EQ(body(get(path, {{"range", "bytes=3-"}})), "lo");
  const auto beyond = get(path, {{"range", "bytes=5-"}});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(header(beyond, "Content-Range"), "bytes */5");
  const std::string tag = header(part, "ETag");
  EXPECT_EQ(get(path, {{"if-none-match", tag}}).status, 304);
  EXPECT_EQ(get(path, {{"range", "bytes=1-3"}, {"if-range", "\"other\""}}).status, 200);
  EXPECT_EQ(get(path, {{"range", "bytes=1-3"}, {"if-range", tag}}).status, 206);
}

TEST(Range, FollowsRfc9110) {
  struct Case {
    const char* field;
    std::uint64_t size;
    RangeKind kind;
    ByteRange range;
  };
  constexpr auto whole = RangeKind::whole;
  constexpr auto part = RangeKind::part;
  constexpr auto none = RangeKind::unsatisfiable;
  for (const Case& c : {
           Case{"bytes=0-0", 10, part, {0, 1}},
           Case{"bytes=0-", 10, part, {0, 10}},
           Case{"bytes=9-9", 10, part, {9, 1}},
           Case{"bytes=0-99", 10, part, {0, 10}},
           Case{"bytes=9-999999999999999999", 10, part, {9, 1}},
           Case{"bytes=10-", 10, none, {}},
           Case{"bytes=-0", 10, none, {}},
           Case{"bytes=-1", 10, part, {9, 1}},
           Case{"bytes=-99", 10, part, {0, 10}},
           Case{"bytes=0-0", 0, none, {}},
           Case{"bytes=-1", 0, none, {}},
           Case{"bytes=3-2", 10, whole, {0, 10}},
           Case{"bytes=", 10, whole, {0, 10}},
           Case{"bytes=-", 10, whole, {0, 10}},
           Case{"bytes=a-b", 10, whole, {0, 10}},
           Case{"bytes=0-1,3-4", 10, whole, {0, 10}},
           Case{"bytes= 0-1", 10, whole, {0, 10}},
           Case{"lines=0-1", 10, whole, {0, 10}},
           Case{"bytes=99999999999999999999-", 10, whole, {0, 10}},
           Case{"", 10, whole, {0, 10}},
       }) {
    const RangeAnswer answer = parse_range(c.field, c.size);
    EXPECT_EQ(answer.kind, c.kind) << c.field;
    EXPECT_EQ(answer.range, c.range) << c.field;
  }
}

TEST(Page, EscapesWhatStrangersWrote) {
  PageFacts facts;
  facts.vkey = "<script>alert";
  facts.damage = "a & \"b\"";
  const std::string page = whole_page("<script>alert", map_body(Json(JsonObject{}), facts), facts);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_THAT(page, HasSubstr("<title>&lt;script&gt;alert"));
  EXPECT_THAT(page, HasSubstr("a &amp; &quot;b&quot;"));
}

TEST(HttpRequestValue, FindsQueryParameters) {
  HttpRequest request;
  request.target = "/log?from=5&waiting=1&wait=&x";
  EXPECT_EQ(request.path(), "/log");
  EXPECT_EQ(request.query("from"), "5");
  EXPECT_EQ(request.query("wait"), "");
  EXPECT_EQ(request.query("x"), std::nullopt);
  EXPECT_EQ(request.query("fro"), std::nullopt);
  request.target = "/log";
  EXPECT_EQ(request.query("from"), std::nullopt);
}

TEST_F(HubTest, IsToldWhatItHasForgotten) {
  const std::string own = sequencer->head()->checkpoint;
  EXPECT_EQ(ask(request("POST", "/checkpoint", to_bytes(own))).status, 200);
  EXPECT_EQ(ask(request("POST", "/checkpoint", to_bytes("nonsense"))).status, 400);
  const std::string larger = log::sign_checkpoint({kTestOrigin, 1000, {}, {}}, test_key(200));
  const HttpResponse told = ask(request("POST", "/checkpoint", to_bytes(larger)));
  EXPECT_EQ(told.status, 409);
  EXPECT_THAT(body(get("/health")), HasSubstr("\"status\":\"read-only\""));
  EXPECT_EQ(ask(request("POST", "/records", Person(1).introduce())).status, 503);
}

}  // namespace
}  // namespace harambee::hub

// What the hub says about its own log: views, pages and the stream, over a log with a real run.
#include "hub/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "fold/log_builder.h"
#include "fold/sample.h"
#include "hub/sample_text.h"
#include "hub/view_parts.h"
#include "hub/views.h"
#include "log/checkpoint.h"
#include "store/memory_order.h"

namespace harambee::hub {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

View view_of(std::string_view text) { return harambee::view(text); }

// A published log made of given entries.
class GivenLog : public Sequencer {
 public:
  void publish(const std::vector<Bytes>& entries) {
    entries_ = entries;
    log::Frontier tree;
    for (const Bytes& entry : entries_) tree.append(View(entry));
    auto next = std::make_shared<Head>();
    next->size = entries_.size();
    next->checkpoint = log::sign_checkpoint({"log.test/harambee", tree.size(), tree.root(), {}},
                                            SecretKey::from_seed({1}));
    head_ = next;
  }
  // What the files hold is no longer what was published.
  void damage(std::size_t index, Bytes entry) { entries_[index] = std::move(entry); }

  void on_change(std::function<void()>) override {}
  void start() override {}
  void stop() override {}
  void run_batch() override {}
  std::shared_ptr<Ticket> submit(Bytes) override { return nullptr; }
  std::shared_ptr<Ticket> tick() override { return nullptr; }
  Status shown(View) override { return ok(); }
  std::shared_ptr<const Head> head() const override { return head_; }
  Result<std::vector<Bytes>> entries(std::uint64_t from, std::uint64_t) override {
    return std::vector<Bytes>(entries_.begin() + static_cast<std::ptrdiff_t>(from), entries_.end());
  }
  std::optional<std::string> damage() const override { return std::nullopt; }
  std::int64_t last_tick_ms() const override { return 0; }

 private:
  std::vector<Bytes> entries_;
  std::shared_ptr<const Head> head_ = std::make_shared<Head>();
};

class DashboardTest : public testing::Test {
 protected:
  void SetUp() override {
    built.tick(1'000'000);
    open("first", "data");
    publish();
  }

  void open(const std::string& name, const std::string& data) {
    fold::OpenRun act;
    act.name = name;
    act.coordinator = built.id("coordinator");
    act.validators = {built.id("validator")};
    act.recipe = fold::default_recipe();
    act.recipe.checkpoint_every = act.recipe.rounds;
    act.data = fold::testing::blob(data, format::kDataManifestType);
    ASSERT_EQ(built.say("maintainer", write(act)).effect, fold::Effect::applied);
  }
  const fold::RunState& run(const std::string& name = "first") {
    return *built.state.run_named(name);
  }
  void begin(const std::string& name, const BlobRef& weights) {
    fold::Start act;
    act.run = run(name).id;
    act.checkpoint = weights;
    ASSERT_EQ(built.say("maintainer", write(act)).effect, fold::Effect::applied);
  }
  void begin() { begin("first", fold::testing::blob("weights", fold::kWeightsType)); }
  void join(const std::string& who) {
    ASSERT_EQ(built.say(who, write(fold::Join{run().id, "exact-1", "trainer"})).effect,
              fold::Effect::applied);
  }
  void contribute(const std::string& who) {
    fold::Contribution act;
    act.run = run().id;
    act.round = run().round.number;
    act.base = run().weights;
    act.numeric_class = "exact-1";
    const auto round = std::to_string(act.round);
    if (const auto* member = run().member(built.id(who))) {
      act.error_feedback.before = member->error_feedback;
      act.optimizer.before = member->optimizer;
    }
    act.error_feedback.after = act.optimizer.after = fold::testing::digest_of(who + round);
    act.steps = 5;
    act.tokens = 2560;
    act.delta = fold::testing::blob("delta" + who + round, fold::kDeltaType, 400);
    ASSERT_EQ(built.say(who, write(act)).effect, fold::Effect::applied);
    contribution = built.last;
  }
  void tick() { built.tick(built.state.now_ms() + 1000); }
  // Scores the last contribution as worth nothing and all others as good, and closes.
  void score_and_close(std::int64_t loss_nanos) {
    fold::Score score{
        run().id, run().round.number, run().weights, *run().round.score_seed, loss_nanos, {}};
    for (const fold::Committed& one : run().round.contributions) {
      const bool last = one.place.id == run().round.contributions.back().place.id;
      score.entries.push_back({last ? -7'000'000 : 5'000'000, "123456", 0, "ok"});
    }
    ASSERT_EQ(built.say("validator", write(score)).effect, fold::Effect::applied);
    fold::Close close;
    close.run = run().id;
    close.round = run().round.number;
    close.accepted = fold::derive(run()).accepted;
    close.weights = sha256(run().weights.view());
    close.residual = close.weights;
    close.update = fold::testing::blob("update", fold::kUpdateType, 900);
    ASSERT_EQ(built.say("coordinator", write(close)).effect, fold::Effect::applied);
  }
  void play_round(std::int64_t loss_nanos) {
    contribute("ada");
    contribute("bob");
    contribute("eve");
    tick();
    score_and_close(loss_nanos);
  }
  void begin_with_three() {
    for (const char* who : {"ada", "bob", "eve"}) join(who);
    begin();
  }

  void publish() {
    log.publish(built.entries);
    OrderBatch batch;
    batch.old_head = *order->head();
    batch.new_head = {built.entries.size(), log.head()->checkpoint};
    for (std::size_t i = batch.old_head.size; i < built.entries.size(); ++i) {
      const Unverified record = *parse_envelope(built.entries[i]);
      batch.entries.push_back(
          {built.entries[i], record.id(), record.payload().author, record.payload().seq});
    }
    ASSERT_TRUE(order->commit(batch).ok());
    folder.catch_up();
  }

  HttpResponse get(const std::string& target, const std::string& accept = "application/json") {
    HttpRequest request;
    request.method = "GET";
    request.target = target;
    request.headers = {{"accept", accept}, {"host", "hub.test:80"}};
    auto answer = dashboard.get(request);
    if (!answer) return HttpResponse::error(599, "not the dashboard's");
    return *std::move(answer);
  }
  json view(const std::string& target) {
    const HttpResponse answer = get(target);
    EXPECT_EQ(answer.status, 200) << target << std::get<std::string>(answer.body);
    return json::parse(std::get<std::string>(answer.body));
  }
  std::string page(const std::string& target) {
    return std::get<std::string>(get(target, "text/html").body);
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }

  fold::testing::LogBuilder built;
  GivenLog log;
  std::unique_ptr<Order> order = store::make_memory_order();
  LogFolder folder{log};
  Dashboard dashboard{folder, log, *order, "log.test/harambee+00000000+AAAA"};
  RecordId contribution;
};

TEST_F(DashboardTest, TheMapShowsWhatEachRunReached) {
  json map = view("/view/map");
  ASSERT_EQ(map["runs"]["total"], 1);
  EXPECT_EQ(map["runs"]["rows"][0]["phase"], "waiting_start");
  EXPECT_TRUE(map["runs"]["rows"][0]["loss"]["last_nanos"].is_null());
  begin_with_three();
  play_round(3'000'000'000);
  play_round(2'500'000'000);
  publish();
  map = view("/view/map");
  const json& first = map["runs"]["rows"][0];
  EXPECT_EQ(first["name"], "first");
  EXPECT_EQ(first["round"], 2);
  EXPECT_EQ(first["active"], 3);
  EXPECT_EQ(first["loss"]["first_nanos"], 3'000'000'000);
  EXPECT_EQ(first["loss"]["last_nanos"], 2'500'000'000);
  EXPECT_EQ(first["tokens"], 2 * 2 * 2560) << "two accepted contributions a round";
  EXPECT_EQ(first["spark_nanos"], json::parse("[3000000000,2500000000]"));
  EXPECT_EQ(map["activity"][0]["kind"], "close");
  EXPECT_EQ(map["activity"][0]["name"], "first");
}

TEST_F(DashboardTest, EveryViewSaysWhereItWasTaken) {
  begin_with_three();
  play_round(3'000'000'000);
  publish();
  const std::string ada = built.id("ada").hex();
  for (const std::string& target :
       {std::string("/view/map"), std::string("/view/runs/first"),
        std::string("/view/runs/first/members"), std::string("/view/runs/first/rounds"),
        std::string("/view/runs/first/rounds/0"), "/view/runs/first/peers/" + ada,
        "/view/peers/" + ada, std::string("/view/records/3"),
        "/view/records/" + contribution.hex()}) {
    const json at = view(target)["at"];
    EXPECT_EQ(at["size"], built.entries.size()) << target;
    EXPECT_EQ(at["root"], built.state.frontier.root().hex()) << target;
    EXPECT_EQ(at["origin"], "log.test/harambee") << target;
  }
}

TEST_F(DashboardTest, ARunShowsItsRoundsMembersAndReasons) {
  begin_with_three();
  play_round(3'000'000'000);
  contribute("ada");
  publish();
  const json run = view("/view/runs/first");
  EXPECT_EQ(run["phase"], "commit");
  EXPECT_EQ(run["series"]["loss_nanos"], json::parse("[3000000000]"));
  EXPECT_EQ(run["series"]["tokens"], json::parse("[0]"));
  EXPECT_EQ(run["open"]["number"], 1);
  EXPECT_EQ(run["open"]["contributions"][0]["author"], built.id("ada").hex());
  EXPECT_EQ(run["open"]["awaited"].size(), 2);
  EXPECT_EQ(run["open"]["scorers"], 1);
  EXPECT_TRUE(run["open"]["committee"].is_null()) << "nobody was drawn: all score";
  EXPECT_EQ(run["audits"]["total"], 0);
  EXPECT_TRUE(run["liars"].empty());
  EXPECT_EQ(run["rejected"][0]["vote_millis"], 0) << "only accepted work has a vote";
  EXPECT_EQ(run["bytes_up"], 1200);
  EXPECT_EQ(run["bytes_down"], 900);
  EXPECT_EQ(run["recipe"]["rounds"], 80);
  ASSERT_EQ(run["rejected"].size(), 1);
  EXPECT_EQ(run["rejected"][0]["author"], built.id("eve").hex());
  EXPECT_THAT(run["rejected"][0]["reason"], StartsWith("gain -0.007"));
  const json& members = run["members"]["rows"];
  ASSERT_EQ(members.size(), 3);
  EXPECT_EQ(members[2]["key"], built.id("eve").hex()) << "least credit last";
  EXPECT_EQ(members[2]["credit_micros"], 0);
  EXPECT_GT(members[0]["credit_micros"], 0);
  EXPECT_EQ(members[0]["bytes_sent"], 400);
}

TEST_F(DashboardTest, ListsArePagedAndLimited) {
  begin_with_three();
  publish();
  const json page = view("/view/runs/first/members?from=1&count=1");
  EXPECT_EQ(page["members"]["total"], 3);
  ASSERT_EQ(page["members"]["rows"].size(), 1);
  EXPECT_EQ(page["members"]["rows"][0]["key"], built.id("bob").hex());
  EXPECT_THAT(view("/view/runs/first/members?from=999999999")["members"]["rows"], IsEmpty());
  EXPECT_EQ(view("/view/runs/first/members?count=0")["members"]["rows"].size(), 1);
  EXPECT_EQ(view("/view/runs/first/members?count=x&from=-1")["members"]["rows"].size(), 3);
  EXPECT_EQ(sampled(3, 5), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(sampled(1'000'001, 3), (std::vector<std::size_t>{0, 500'000, 1'000'000}));
}

TEST_F(DashboardTest, ARunThatBeganWithAnothersWeightsHangsOnIt) {
  begin_with_three();
  play_round(3'000'000'000);
  const Digest reached = run().weights;
  open("second", "data");
  begin("second", {reached, 100, std::string(fold::kWeightsType)});
  publish();
  const json parent = view("/view/map")["runs"]["rows"][0]["parent"];
  EXPECT_EQ(parent["name"], "first");
  EXPECT_EQ(parent["rounds"], 1);
}

TEST_F(DashboardTest, ARecordShowsItsBytesAndWhatItCaused) {
  begin_with_three();
  play_round(3'000'000'000);
  built.say("eve", write(fold::Join{run().id, "exact-1", "again"}));
  publish();
  const json record = view("/view/records/" + contribution.hex());
  EXPECT_EQ(record["kind"], "contribution");
  EXPECT_EQ(record["effect"], "applied");
  EXPECT_THAT(record["explanation"]["verdict"], StartsWith("rejected in round 0"));
  const std::string envelope = record["envelope"];
  EXPECT_EQ(to_bytes(envelope), built.entries[record["index"]]);
  EXPECT_EQ(record["author_public_key"], hex(built.key("eve").public_key().bytes));
  const json inert = view("/view/records/" + std::to_string(built.entries.size() - 1));
  EXPECT_EQ(inert["effect"], "inert");
  EXPECT_THAT(inert["reason"], Not(IsEmpty()));
}

TEST_F(DashboardTest, RefusesWhatIsNotThere) {
  const std::string nobody = Digest{}.hex();
  for (const std::string& target :
       {std::string("/view/runs/none"), std::string("/view/nothing"), "/view/peers/" + nobody,
        "/view/runs/first/peers/" + nobody, std::string("/view/runs/first/rounds/7"),
        std::string("/view/runs/first/rounds/0/x"), "/view/records/" + nobody,
        std::string("/view/records/99999"), std::string("/view/runs"), std::string("/view/")}) {
    EXPECT_EQ(get(target).status, 404) << target;
  }
  for (const char* target : {"/view/peers/xyz", "/view/records/0x1", "/view/runs/first/rounds/-1",
                             "/view/runs/first/peers/ABC", "/view/records/"}) {
    EXPECT_EQ(get(target).status, 400) << target;
  }
  EXPECT_EQ(get("no-slash").status, 599);
  EXPECT_EQ(get("/runs/first").status, 599) << "programs get the hub's own answer";
}

TEST_F(DashboardTest, SaysThatItIsStillReading) {
  LogFolder empty{log};
  Dashboard young{empty, log, *order, "key"};
  HttpRequest request;
  request.target = "/view/map";
  const HttpResponse answer = *young.get(request);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(header(answer, "Retry-After"), "1");
  const json body = json::parse(std::get<std::string>(answer.body));
  EXPECT_EQ(body["folded"], 0);
  EXPECT_EQ(body["size"], built.entries.size());
  request.target = "/";
  EXPECT_THAT(std::get<std::string>(young.get(request)->body), HasSubstr("still reading its log"));
}

TEST_F(DashboardTest, DoesNotShowALogThatIsNotTheSignedOne) {
  fold::testing::LogBuilder other;
  other.tick(5);
  GivenLog damaged;
  damaged.publish(built.entries);
  damaged.damage(1, other.entries[1]);  // a true record, but not the one that was logged
  LogFolder reader{damaged};
  reader.catch_up();
  ASSERT_TRUE(reader.trouble());
  Dashboard shown{reader, damaged, *order, "key"};
  HttpRequest request;
  request.target = "/view/map";
  EXPECT_EQ(shown.get(request)->status, 503);
}

TEST_F(DashboardTest, TheStreamSaysWhatHasChangedAndCostsASlowReaderNothing) {
  begin_with_three();
  publish();
  HttpResponse answer = get("/events");
  EXPECT_EQ(header(answer, "Content-Type"), "text/event-stream; charset=utf-8");
  auto& stream = std::get<Stream>(answer.body);
  EXPECT_EQ(stream.next(false), "retry: 2000\n\n");
  EXPECT_EQ(stream.next(false), "") << "nothing has happened";
  EXPECT_THAT(stream.next(true), StartsWith(":")) << "a sign of life";
  tick();
  publish();
  EXPECT_THAT(stream.next(false), HasSubstr("\"runs\":[]")) << "time has passed, no run changed";
  play_round(1);
  tick();
  publish();
  const std::string piece = stream.next(false);  // all of it in one piece
  EXPECT_THAT(piece, StartsWith("id: " + std::to_string(built.entries.size()) + "\nevent: log\n"));
  EXPECT_THAT(piece, HasSubstr("\"runs\":[\"first\"]"));
  EXPECT_EQ(stream.next(false), "");

  HttpResponse again = get("/events?from=1");  // after a broken connection
  EXPECT_THAT(std::get<Stream>(again.body).next(false), HasSubstr("\"runs\":[\"first\"]"));
}

TEST_F(DashboardTest, StreamsAreCounted) {
  DashboardLimits limits;
  limits.streams_max = 1;
  Dashboard small{folder, log, *order, "key", limits};
  HttpRequest request;
  request.target = "/events";
  {
    const HttpResponse one = *small.get(request);
    EXPECT_EQ(one.status, 200);
    EXPECT_EQ(small.get(request)->status, 503);
  }
  EXPECT_EQ(small.get(request)->status, 200) << "the first one was closed";
}

TEST_F(DashboardTest, PagesAreReadableWithoutScripts) {
  begin_with_three();
  play_round(3'000'000'000);
  publish();
  EXPECT_THAT(page("/"), HasSubstr("<a href=\"/runs/first\">"));
  EXPECT_THAT(page("/"), HasSubstr("harambee join http://hub.test:80/runs/first"));
  EXPECT_THAT(page("/runs/first"), HasSubstr("<h2>Contributors</h2>"));
  EXPECT_THAT(page("/runs/first/rounds/0"), HasSubstr("2 of 3 contributions accepted"));
  EXPECT_THAT(page("/runs/first/peers/" + built.id("eve").hex()), HasSubstr("rejected"));
  EXPECT_THAT(page("/records/" + contribution.hex()), HasSubstr("&quot;payload&quot;"));
  EXPECT_EQ(get("/runs/none", "text/html").status, 404);
  const std::string policy = header(get("/", "text/html"), "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

TEST_F(DashboardTest, TextsOfPastRoundsStandSideBySide) {
  begin_with_three();
  EXPECT_THAT(page("/runs/first"), Not(HasSubstr("What it writes")));
  const auto say = [&](const std::string& who, Bytes text) {
    fold::Sample act;
    act.run = run().id;
    act.round = static_cast<std::int64_t>(run().history.size());
    act.weights = run().weights;
    act.numeric_class = "exact-1";
    act.seed = fold::sample_seed(run().id);
    act.bytes = static_cast<std::int64_t>(text.size());
    act.texts = {{to_bytes("<b>"), std::move(text)}};
    return built.say(who, write(act)).effect;
  };
  ASSERT_EQ(say("coordinator", to_bytes("</pre><script>\x1b")), fold::Effect::applied);
  ASSERT_EQ(say("validator", to_bytes("the second of a round")), fold::Effect::applied);
  ASSERT_EQ(say("eve", to_bytes("a stranger's")), fold::Effect::inert);
  for (int round = 1; round <= 4; ++round) {
    play_round(3'000'000'000);
    ASSERT_EQ(say("validator", to_bytes("round " + std::to_string(round))), fold::Effect::applied);
  }
  publish();

  const json all = view("/view/runs/first/samples");
  EXPECT_EQ(all["rounds"], json({0, 1, 2, 3, 4}));
  EXPECT_EQ(all["samples"]["total"], 5);
  std::vector<int> rounds;
  for (const json& row : all["samples"]["rows"]) rounds.push_back(row["round"]);
  EXPECT_THAT(rounds, testing::ElementsAre(0, 2, 4));
  EXPECT_EQ(all["samples"]["rows"][0]["author"], built.id("coordinator").hex());
  const json one = view("/view/runs/first/samples/3");
  ASSERT_EQ(one["samples"]["rows"].size(), 1u);
  EXPECT_EQ(one["samples"]["rows"][0]["texts"][0]["text"], base64(view_of("round 3")));
  EXPECT_EQ(get("/view/runs/first/samples/9").status, 404);
  EXPECT_EQ(get("/view/runs/first/samples/x").status, 400);
  EXPECT_EQ(get("/view/runs/none/samples").status, 404);

  const std::string text = page("/runs/first");
  EXPECT_THAT(text, HasSubstr("<h2>What it writes</h2>"));
  EXPECT_THAT(text, HasSubstr("<b>&lt;b&gt;</b>&lt;/pre&gt;&lt;script&gt;\xe2\x90\x9b</pre>"));
  EXPECT_THAT(text, HasSubstr("round 4"));
}

TEST(SampleText, IsReadableWhateverTheModelWrote) {
  const auto shown = [](std::string_view bytes) { return readable(view_of(bytes)); };
  EXPECT_EQ(shown("a\n\t\xc3\xb1 \xe6\xbc\xa2 \xf0\x9f\x99\x82"),
            "a\n\t\xc3\xb1 \xe6\xbc\xa2 \xf0\x9f\x99\x82");
  EXPECT_EQ(shown(std::string_view("\0\x1b\r\x7f", 4)),
            "\xe2\x90\x80\xe2\x90\x9b\xe2\x90\x8d\xe2\x90\xa1");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(shown("a\xe2\x80\xae"
                  "b"),
            "a" + bad + "b");  // turns what follows
  EXPECT_EQ(shown("\xff"
                  "a\xc0\x80"),
            bad + "a" + bad + bad);                             // no text, too long a form
  EXPECT_EQ(shown("\xed\xa0\x80"), bad + bad + bad);            // half of a pair
  EXPECT_EQ(shown("\xf4\x90\x80\x80"), bad + bad + bad + bad);  // beyond Unicode
  EXPECT_EQ(shown("\xe6\xbc"), bad + bad);                      // cut off
}

TEST(SampleText, PiecesEndWithWholeCharacters) {
  const auto whole = [](std::string_view bytes) { return whole_characters(view_of(bytes)); };
  EXPECT_EQ(whole(""), 0u);
  EXPECT_EQ(whole("abc"), 3u);
  EXPECT_EQ(whole("ab\xc3"), 2u);
  EXPECT_EQ(whole("ab\xc3\xb1"), 4u);
  EXPECT_EQ(whole("\xf0\x9f\x99"), 0u);
  EXPECT_EQ(whole("\xf0\x9f\x99\x82"), 4u);
  EXPECT_EQ(whole("a\xff"), 2u) << "never becomes a character";
  EXPECT_EQ(whole("\x80\x80\x80\x80"), 4u);
}

TEST_F(DashboardTest, ABadHostIsNotRepeated) {
  HttpRequest request;
  request.target = "/";
  request.headers = {{"host", "x\"><script>"}};
  EXPECT_THAT(std::get<std::string>(dashboard.get(request)->body), Not(HasSubstr("<script>x")));
  EXPECT_THAT(std::get<std::string>(dashboard.get(request)->body), HasSubstr("http://this-hub/"));
}

}  // namespace
}  // namespace harambee::hub

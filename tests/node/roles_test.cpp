// Volunteers, a validator and a coordinator train a run together, and any of them may be killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "node/actors.h"
#include "node/log_answer.h"
#include "node/memory.h"
#include "node/model_copy.h"

namespace harambee::node::testing {
namespace {

namespace fs = std::filesystem;

TEST_F(RolesTest, TrainARunToItsEnd) {
  open_run();
  start_hosts();
  Actor& ada = actor("ada");
  Actor& ben = actor("ben");
  std::atomic<int> steps{0};
  ada.observer = [&steps](const Event& event) { steps += event.kind == Event::Kind::progress; };
  ada.volunteer();
  ben.volunteer();
  for (Actor& each : actors_) each.expect_success();

  const fold::RunState run = run_state();
  EXPECT_EQ(run.phase, fold::Phase::finished);
  ASSERT_EQ(run.history.size(), 3u);
  expect_weights(ada, run.weights);
  expect_weights(ben, run.weights);
  EXPECT_LT(*run.history.back().loss_nanos, *run.history.front().loss_nanos);
  for (const auto& closed : run.history) {
    for (const auto& contribution : closed.contributions) {
      EXPECT_TRUE(contribution.accepted) << contribution.reason;
    }
  }
  for (const char* who : {"ada", "ben", "validator", "coordinator"}) expect_no_refusals(run, who);
  EXPECT_GE(steps, 9);
  // A blob that is not lost is asked for when it is sent, and never again.
  EXPECT_EQ(ada.wire.asked("HEAD /blobs/"), 3);
  const Stats& stats = ada.result->value();
  EXPECT_EQ(stats.rounds, 3);
  EXPECT_EQ(stats.accepted, 3);
  EXPECT_GT(stats.once_received_bytes, 0u);
  EXPECT_LT(stats.once_received_bytes, stats.received_bytes);
  EXPECT_TRUE(fs::exists(ada.dir + "/stats.json"));
}

TEST_F(RolesTest, DomainsAreDeclaredAndScored) {
  run_ = open_tiny_run(hub_, folder_.path() + "/maintainer", tiny_recipe(), "swahili");
  start_hosts();
  for (const char* who : {"ada", "ben"}) actor(who).volunteer();
  for (Actor& each : actors_) each.expect_success();
  const fold::RunState run = run_state();
  EXPECT_EQ(run.phase, fold::Phase::finished);
  for (const auto& closed : run.history) {
    for (const auto& contribution : closed.contributions) {
      EXPECT_TRUE(contribution.accepted) << contribution.reason;
      EXPECT_EQ(contribution.domain, "swahili");
      ASSERT_EQ(contribution.domain_gains.size(), 1u);
      EXPECT_EQ(contribution.domain_gains[0], contribution.gain_nanos);  // the fake knows no text
    }
  }
  for (const char* who : {"ada", "ben", "validator", "coordinator"}) expect_no_refusals(run, who);
}

// No text decides, so nobody but the coordinator needs to look at the blobs.
fold::Recipe textless_recipe() {
  fold::Recipe recipe = tiny_recipe();
  recipe.gate.rows = recipe.gate.report = 0;
  recipe.judge.guard = recipe.judge.void_rise = {};
  recipe.judge.own_rounds = 0;
  recipe.judge.auditors = 0;
  recipe.judge.aggregate = fold::AggregateRule::neighbours;
  return recipe;
}

TEST_F(RolesTest, TrainWithoutHeldOutTextAndWithoutAValidator) {
  open_run(textless_recipe());
  actor("coordinator").coordinator();
  Actor& ada = actor("ada");
  ada.volunteer();
  actor("ben").volunteer();
  actor("mal").volunteer(Misbehave::malformed);
  actor("wim").volunteer(Misbehave::withhold);
  for (Actor& each : actors_) each.expect_success();
  const fold::RunState run = run_state();
  EXPECT_EQ(run.phase, fold::Phase::finished);
  ASSERT_EQ(run.history.size(), 3u);
  expect_weights(ada, run.weights);
  for (const auto& closed : run.history) {
    EXPECT_FALSE(closed.loss_nanos.has_value());
    EXPECT_EQ(closed.scores.size(), 1u);
    for (const auto& contribution : closed.contributions) {
      const bool bad =
          contribution.author == key_of("mal").id() || contribution.author == key_of("wim").id();
      EXPECT_EQ(contribution.accepted, !bad) << contribution.reason;
    }
  }
  expect_no_refusals(run, "coordinator");
}

TEST_F(RolesTest, DishonestContributionsAreRejected) {
  open_run();
  start_hosts();
  for (const char* who : {"ada", "ben"}) actor(who).volunteer();
  actor("eve").volunteer(Misbehave::sign_flip);
  actor("mal").volunteer(Misbehave::malformed);
  actor("wim").volunteer(Misbehave::withhold);
  for (Actor& each : actors_) each.expect_success();

  const fold::RunState run = run_state();
  EXPECT_EQ(run.phase, fold::Phase::finished);
  std::map<KeyId, std::vector<std::string>> reasons;
  for (const auto& closed : run.history) {
    for (const auto& contribution : closed.contributions) {
      reasons[contribution.author].push_back(contribution.accepted ? "" : contribution.reason);
    }
  }
  for (const auto& [who, prefix] : std::map<std::string, std::string>{
           {"eve", "gain -"}, {"mal", "malformed"}, {"wim", "withheld"}, {"ada", ""}}) {
    ASSERT_FALSE(reasons[key_of(who).id()].empty()) << who;
    for (const std::string& reason : reasons[key_of(who).id()]) {
      EXPECT_TRUE(reason.starts_with(prefix) && reason.empty() == prefix.empty())
          << who << ": " << reason;
    }
  }
}

// An outer rate at which every step overshoots: each contribution is good at a quarter of a step,
// all that were asked for is too much. Nobody lies; the loss rises all the same.
fold::Recipe overshooting_recipe(std::int64_t rounds = 3) {
  fold::Recipe recipe = tiny_recipe();
  recipe.rounds = rounds;
  recipe.outer_lr = {60'000'000'000};
  return recipe;
}

// The odd rounds of such a run find out what the even ones have done.
void expect_voids(const fold::RunState& run, std::size_t rounds) {
  ASSERT_EQ(run.phase, fold::Phase::finished);
  ASSERT_EQ(run.history.size(), rounds);
  for (std::size_t r = 0; r < rounds; ++r) {
    EXPECT_EQ(run.history[r].voided, r % 2 == 1) << r;
    if (!run.history[r].voided) continue;
    EXPECT_GT(*run.history[r].loss_nanos, *run.history[0].loss_nanos + 500'000'000);
    EXPECT_EQ(run.history[r].weights, run.start->checkpoint.digest);
    EXPECT_EQ(run.history[r + 1].base, run.start->checkpoint.digest);
    EXPECT_EQ(*run.history[r + 1].loss_nanos, *run.history[0].loss_nanos);
  }
}

TEST_F(RolesTest, GoBackWhenTheLossHasRisenAndGoOn) {
  open_run(overshooting_recipe(5));
  start_hosts();
  Actor& ada = actor("ada");
  ada.volunteer();
  actor("ben").volunteer();
  for (Actor& each : actors_) each.expect_success();
  const fold::RunState run = run_state();
  expect_voids(run, 5);
  for (const char* who : {"ada", "ben", "validator", "coordinator"}) expect_no_refusals(run, who);
  expect_weights(ada, run.weights);
  // Who comes later takes the short way; who has the bad weights leaves them.
  for (std::size_t had = 0; had <= run.history.size(); ++had) {
    Desk desk(hub_, "auditor", folder_.path() + "/had" + std::to_string(had));
    ModelCopy model(folder_.path() + "/model" + std::to_string(had), desk.blobs);
    fold::RunState then = run;
    then.history.resize(had);
    then.weights = weights_before(run, had);
    then.checkpoint = run.start->checkpoint;
    then.checkpoint_round = 0;
    ASSERT_TRUE(model.catch_up(then).ok()) << had;
    const auto reached = model.catch_up(run);
    ASSERT_TRUE(reached.ok()) << had << ": " << reached.error().message;
    EXPECT_EQ(sha256(*store::read_file(reached->string(), 1 << 20)), run.weights) << had;
  }
}

// Kills a volunteer at one place in its round, and starts it again.
struct KillPoint {
  const char* name;
  const char* method;  // of the request
  const char* path;
  bool answered;  // the request reaches the hub first
  int nth;        // how many such requests are let through before it
};

class KilledVolunteer : public RolesTest, public ::testing::WithParamInterface<KillPoint> {};

TEST_P(KilledVolunteer, GoesOnWhereTheLogSays) {
  open_run();
  start_hosts();
  actor("ben").volunteer();
  Actor& ada = actor("ada");
  const KillPoint point = GetParam();
  int seen = 0;
  const auto hit = [&seen, &point](const WireRequest& request) {
    return request.method == point.method && DirectWire::path_of(request).starts_with(point.path) &&
           seen++ == point.nth;
  };
  // After the kill nothing gets through any more, as for a process that is gone.
  bool dead = false;
  ada.wire.before = [&](const WireRequest& request) -> std::optional<Result<WireResponse>> {
    if (!dead && !point.answered && hit(request)) dead = true;
    if (!dead) return std::nullopt;
    ada.clock.stop();
    return fail(ErrorCode::cancelled, "killed");
  };
  ada.wire.after = [&](const WireRequest& request, WireResponse response) -> Result<WireResponse> {
    if (!point.answered || !hit(request)) return response;
    dead = true;
    ada.clock.stop();
    return fail(ErrorCode::cancelled, "killed");
  };
  ada.volunteer();
  ada.join();
  EXPECT_TRUE(dead) << "the kill point was never reached";

  Actor& again = actor("ada");
  again.volunteer();
  for (Actor& each : actors_) {
    if (&each != &ada) each.expect_success();
  }
  const fold::RunState run = run_state();
  EXPECT_EQ(run.phase, fold::Phase::finished);
  expect_no_refusals(run, "ada");
  expect_weights(again, run.weights);
  // The data came once, and so did the first weights.
  for (const auto& closed : run.history) {
    for (const auto& contribution : closed.contributions) {
      if (contribution.reason.starts_with("withheld")) continue;  // killed for too long
      EXPECT_TRUE(contribution.accepted) << contribution.reason;
    }
  }
  EXPECT_EQ(again.wire.asked("GET /log?from=0&"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Places, KilledVolunteer,
    ::testing::Values(KillPoint{"BeforeJoining", "POST", "/records", false, 1},
                      KillPoint{"BeforeItsRecordLeaves", "POST", "/records", false, 2},
                      KillPoint{"BeforeItKnowsThatItsRecordArrived", "POST", "/records", true, 2},
                      KillPoint{"BeforeUploading", "PUT", "/blobs/", false, 0},
                      KillPoint{"BeforeItKnowsThatItsBlobArrived", "PUT", "/blobs/", true, 0},
                      KillPoint{"InTheSecondRound", "POST", "/records", false, 3}),
    [](const auto& info) { return std::string(info.param.name); });

class KilledHost : public RolesTest, public ::testing::WithParamInterface<KillPoint> {};

TEST_P(KilledHost, GoesOn) {
  const bool voids = std::string(GetParam().name).find("Void") != std::string::npos;
  const bool textless = std::string(GetParam().name).find("OwnScore") != std::string::npos;
  open_run(voids ? overshooting_recipe() : textless ? textless_recipe() : tiny_recipe());
  actor("ada").volunteer();
  actor("ben").volunteer();
  const KillPoint point = GetParam();
  const bool coordinator = std::string(point.name).starts_with("Coordinator");
  if (!textless) {
    (coordinator ? actor("validator") : actor("coordinator"))
        .start([this, coordinator, &host = actors_.back()] {
          return coordinator ? run_validator({host.role()}, host.wire, host.clock, {})
                             : run_coordinator({host.role()}, host.wire, host.clock, {});
        });
  }
  Actor& first = actor(coordinator ? "coordinator" : "validator");
  int seen = 0;
  bool dead = false;
  const auto hit = [&seen, &point](const WireRequest& request) {
    return request.method == point.method && DirectWire::path_of(request).starts_with(point.path) &&
           seen++ == point.nth;
  };
  first.wire.before = [&](const WireRequest& request) -> std::optional<Result<WireResponse>> {
    if (!dead && !point.answered && hit(request)) dead = true;
    if (!dead) return std::nullopt;
    first.clock.stop();
    return fail(ErrorCode::cancelled, "killed");
  };
  first.wire.after = [&](const WireRequest& request,
                         WireResponse response) -> Result<WireResponse> {
    if (!point.answered || !hit(request)) return response;
    dead = true;
    first.clock.stop();
    return fail(ErrorCode::cancelled, "killed");
  };
  coordinator ? first.coordinator() : first.validator();
  first.join();
  EXPECT_TRUE(dead) << "the kill point was never reached";
  // For one case the whole directory is lost too.
  if (std::string(point.name).ends_with("LosesItsDirectory")) fs::remove_all(first.dir);

  Actor& again = actor(first.name);
  coordinator ? again.coordinator() : again.validator();
  for (Actor& each : actors_) {
    if (&each != &first) each.expect_success();
  }
  const fold::RunState run = run_state();
  EXPECT_EQ(run.phase, fold::Phase::finished);
  if (voids) expect_voids(run, 3);
  expect_no_refusals(run, first.name);
}

INSTANTIATE_TEST_SUITE_P(
    Places, KilledHost,
    ::testing::Values(
        KillPoint{"CoordinatorBeforeClosing", "POST", "/records", false, 1},
        KillPoint{"CoordinatorAfterClosing", "POST", "/records", true, 1},
        KillPoint{"CoordinatorBeforeUploading", "PUT", "/blobs/", false, 0},
        KillPoint{"CoordinatorInRoundOneLosesItsDirectory", "POST", "/records", false, 2},
        KillPoint{"CoordinatorBeforeUploadingLosesItsDirectory", "PUT", "/blobs/", false, 0},
        KillPoint{"CoordinatorBeforeTheVoid", "POST", "/records", false, 2},
        KillPoint{"CoordinatorAfterTheVoid", "POST", "/records", true, 2},
        KillPoint{"CoordinatorBeforeTheVoidLosesItsDirectory", "POST", "/records", false, 2},
        KillPoint{"CoordinatorAfterTheVoidLosesItsDirectory", "POST", "/records", true, 2},
        KillPoint{"CoordinatorBeforeItsOwnScore", "POST", "/records", false, 1},
        KillPoint{"CoordinatorAfterItsOwnScore", "POST", "/records", true, 1},
        KillPoint{"CoordinatorBeforeClosingOnItsOwnScore", "POST", "/records", false, 2},
        KillPoint{"ValidatorBeforeScoring", "POST", "/records", false, 1},
        KillPoint{"ValidatorAfterScoring", "POST", "/records", true, 1}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(RolesTest, ALateJoinerTakesTheCheckpointAndTheUpdatesAfterIt) {
  open_run();
  start_hosts();
  for (const char* who : {"ada", "ben"}) actor(who).volunteer();
  for (Actor& each : actors_) each.expect_success();
  Actor& late = actor("late");
  late.volunteer();
  late.expect_success();
  expect_weights(late, run_state().weights);
}

TEST_F(RolesTest, UpdatesLeadFromTheFirstWeightsToTheLastOrNowhere) {
  open_run();
  start_hosts();
  for (const char* who : {"ada", "ben"}) actor(who).volunteer();
  for (Actor& each : actors_) each.expect_success();
  fold::RunState run = run_state();
  run.checkpoint = run.start->checkpoint;  // as if no later one had been kept
  run.checkpoint_round = 0;

  Desk desk(hub_, "auditor", folder_.path() + "/late");
  ModelCopy good(folder_.path() + "/good", desk.blobs);
  const auto reached = good.catch_up(run);
  ASSERT_TRUE(reached.ok()) << reached.error().message;
  EXPECT_EQ(sha256(*store::read_file(reached->string(), 1 << 20)), run.weights);

  const Digest update = run.history[1].update->digest;
  ASSERT_TRUE(
      store::write_file_atomic(desk.blobs.path(update).string(), to_bytes("a failing disk")).ok());
  ModelCopy spoilt(folder_.path() + "/spoilt", desk.blobs);
  const auto stopped = spoilt.catch_up(run);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::corrupt);
  EXPECT_THAT(stopped.error().message, ::testing::HasSubstr("round 1"));

  run.history[2].weights = sha256(view("what nobody computed"));
  run.weights = run.history[2].weights;
  ASSERT_TRUE(desk.blobs.remove(update).ok());
  ModelCopy contradicted(folder_.path() + "/contradicted", desk.blobs);
  EXPECT_EQ(contradicted.catch_up(run).error().code, ErrorCode::corrupt);
}

// The records of a kind, in log order.
std::vector<Payload> logged(TestHub& hub, const std::string& kind) {
  std::vector<Payload> found;
  WireRequest request;
  request.method = "GET";
  request.url = std::string(kHubUrl) + "/log?from=0";
  const auto answer = parse_log_answer(hub.answer(request).body);
  EXPECT_TRUE(answer.ok()) << answer.error().message;
  for (const Bytes& entry : answer->entries) {
    const auto record = parse_envelope(entry);
    EXPECT_TRUE(record.ok());
    if (record->payload().kind == kind) found.push_back(record->payload());
  }
  return found;
}

TEST_F(RolesTest, TheCoordinatorLetsTheModelWrite) {
  open_run();
  actor("validator").validator();
  actor("coordinator").coordinator({.every = {}, .prompts = {to_bytes("a"), {}}, .bytes = 40});
  for (const char* who : {"ada", "ben"}) actor(who).volunteer();
  for (Actor& each : actors_) each.expect_success();

  const fold::RunState run = run_state();
  std::set<std::int64_t> rounds;
  std::set<Bytes> texts;
  for (const Payload& payload : logged(hub_, "sample")) {
    const auto sample = fold::parse_sample(payload);
    ASSERT_TRUE(sample.ok()) << sample.error().message;
    EXPECT_EQ(sample->weights, *fold::weights_after(run, sample->round));
    EXPECT_EQ(sample->numeric_class, "fake-1");
    ASSERT_EQ(sample->texts.size(), 2u);
    EXPECT_EQ(sample->texts[0].prompt, to_bytes("a"));
    for (const fold::SampleText& text : sample->texts) texts.insert(text.text);
    rounds.insert(sample->round);
  }
  // The first weights, the whole model after two rounds, the last weights.
  EXPECT_THAT(rounds, ::testing::ElementsAre(0, 2, 3));
  EXPECT_EQ(texts.size(), 6u);
  expect_no_refusals(run, "coordinator");
}

TEST_F(RolesTest, ATrainerThatCannotWriteStopsNoRun) {
  open_run();
  actor("validator").validator();
  Actor& coordinator = actor("coordinator");
  coordinator.trainer_mode = "mute";
  std::atomic<int> told{0};
  coordinator.observer = [&told](const Event& event) {
    told += event.text.find("no samples") != std::string::npos;
  };
  coordinator.coordinator({});
  for (const char* who : {"ada", "ben"}) actor(who).volunteer();
  for (Actor& each : actors_) each.expect_success();
  EXPECT_EQ(run_state().phase, fold::Phase::finished);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(logged(hub_, "sample").empty());
}

TEST_F(RolesTest, AnUnknownRunIsSaidAtOnce) {
  Actor& ada = actor("ada");
  ada.volunteer();
  ada.join();
  ASSERT_FALSE(ada.result->ok());
  EXPECT_EQ(ada.result->error().code, ErrorCode::not_found);
}

TEST_F(RolesTest, StrangersMayNotScoreOrClose) {
  open_run();
  Actor& eve = actor("eve");
  eve.validator();
  eve.join();
  EXPECT_EQ(eve.result->error().code, ErrorCode::refused);
  Actor& mal = actor("mal");
  mal.coordinator();
  mal.join();
  EXPECT_EQ(mal.result->error().code, ErrorCode::refused);
}

TEST_F(RolesTest, TwoProcessesCannotShareADirectory) {
  open_run();
  const auto lock = [&] {
    fs::create_directories(folder_.path() + "/ada");
    return store::FileLock::take(folder_.path() + "/ada/lock");
  }();
  ASSERT_TRUE(lock.ok());
  Actor& ada = actor("ada");
  ada.volunteer();
  ada.join();
  ASSERT_FALSE(ada.result->ok());
  EXPECT_EQ(ada.result->error().code, ErrorCode::conflict);
}

TEST(MemoryTest, TooLargeAModelIsRefusedWithTheNumbers) {
  fold::Recipe recipe = fold::default_recipe();
  EXPECT_TRUE(check_memory(recipe, 8ull << 30, 1).ok());
  EXPECT_TRUE(check_memory(recipe, 0, 1).ok());  // unknown
  recipe.model.hidden = 4096;
  recipe.model.ffn = 14336;
  recipe.model.layers = 32;
  recipe.model.heads = 32;
  recipe.model.kv_heads = 8;
  const Status fits = check_memory(recipe, 8ull << 30, 1);
  ASSERT_FALSE(fits.ok());
  EXPECT_EQ(fits.error().code, ErrorCode::refused);
  EXPECT_THAT(fits.error().message, ::testing::HasSubstr("8.0 GiB are free"));
}

TEST(ObserverTest, EventsAreLinesOfJson) {
  Event event;
  event.kind = Event::Kind::progress;
  event.text = "step \"3\"\n";
  event.stats.tokens = 1234;
  event.stats.state = "training";
  const std::string line = json_line(event);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = parse_canonical(view(line));
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json->find("event")->string(), "progress");
  EXPECT_EQ(*json->find("tokens")->integer(), 1234);
  EXPECT_EQ(stats_from_json(*json).tokens, 1234);
}

}  // namespace
}  // namespace harambee::node::testing

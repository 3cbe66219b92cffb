// Writers and readers of every kind agree, and the readers refuse whatever a stranger makes up.
#include "fold/acts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "fold/audit_acts.h"
#include "fold/void_fold.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::blob;
using testing::digest_of;
using testing::LogBuilder;
using testing::small_recipe;
using testing::Swarm;

struct Kind {
  std::string name;
  Payload payload;
  std::function<bool(const Payload&)> parses;
  std::function<Payload(const Payload&)> rewritten;
};

template <typename Act>
Kind kind(const Act& act, Result<Act> (*parse)(const Payload&)) {
  const Payload payload = write(act);
  return {payload.kind, payload, [parse](const Payload& p) { return parse(p).ok(); },
          [parse](const Payload& p) { return write(*parse(p)); }};
}

std::vector<Kind> kinds() {
  const Digest run = digest_of("run");
  const PublicKey key = SecretKey::from_seed(digest_of("k").bytes).public_key();
  OpenRun open;
  open.name = "demo-1";
  open.coordinator = digest_of("coordinator");
  open.validators = {digest_of("v1"), digest_of("v2")};
  open.recipe = small_recipe();
  open.data = blob("data", format::kDataManifestType);
  Contribution contribution;
  contribution.run = run;
  contribution.round = 3;
  contribution.base = digest_of("base");
  contribution.numeric_class = "exact-1";
  contribution.error_feedback = {digest_of("e0"), digest_of("e1")};
  contribution.optimizer = {std::nullopt, digest_of("o1")};
  contribution.loss_first_nanos = 5;
  contribution.loss_last_nanos = 4;
  contribution.steps = 5;
  contribution.tokens = 2560;
  contribution.delta = blob("delta", kDeltaType);
  Score score;
  score.run = run;
  score.round = 3;
  score.base = digest_of("base");
  score.seed = digest_of("seed");
  score.loss_nanos = 2'000'000'000;
  score.entries = {{-77, "123456789012345678901234567890", -40, "ok"},
                   {0, "0", 0, "withheld", 1},
                   {0, "0", 0, "malformed: chunk 3 is not sorted", 2}};
  Close close;
  close.run = run;
  close.round = 3;
  close.accepted = {digest_of("c1")};
  close.weights = digest_of("weights");
  close.residual = digest_of("residual");
  close.update = blob("update", kUpdateType);
  close.checkpoint = blob("weights", kWeightsType);
  const Audit differs{run,
                      3,
                      digest_of("c1"),
                      AuditResult::differs,
                      Replica{digest_of("delta"), digest_of("ef"), digest_of("opt")},
                      {},
                      {}};
  const Audit far{run, 3, digest_of("c1"), AuditResult::far, {}, Decimal{175'000'000}, Decimal{1}};
  const Reveal reveal{
      run, 3, digest_of("c1"), {blob("ef", kErrorFeedbackType), blob("opt", kOptimizerType)}};
  return {kind(Genesis{key, "a hub", 1000, "v+1+x"}, parse_genesis),
          kind(Tick{1'700'000'000'000}, parse_tick),
          kind(Identity{key}, parse_identity),
          kind(open, parse_open_run),
          kind(Start{run, 9, 8, 7, blob("weights", kWeightsType)}, parse_start),
          kind(Join{run, "exact-1", "harambee-trainer 0.1"}, parse_join),
          kind(Leave{run}, parse_leave),
          kind(contribution, parse_contribution),
          kind(score, parse_score),
          kind(differs, parse_audit),
          kind(far, parse_audit),
          kind(Audit{run, 3, digest_of("c1"), AuditResult::withheld, {}, {}, {}}, parse_audit),
          kind(reveal, parse_reveal),
          kind(Dispute{run, 3, digest_of("c1")}, parse_dispute),
          kind(Void{run, 3, digest_of("weights"), digest_of("residual"), {}}, parse_void),
          kind(close, parse_close)};
}

TEST(Acts, ReadersReadWhatWritersWrite) {
  for (const Kind& kind : kinds()) {
    ASSERT_TRUE(kind.parses(kind.payload)) << kind.name;
    EXPECT_EQ(kind.rewritten(kind.payload), kind.payload) << kind.name;
  }
}

TEST(Acts, TheFrameMustFitTheKind) {
  for (const Kind& kind : kinds()) {
    Payload run = kind.payload;
    run.run = run.run ? std::nullopt : std::optional(digest_of("run"));
    EXPECT_FALSE(kind.parses(run)) << kind.name;
    Payload round = kind.payload;
    round.round = round.round ? std::nullopt : std::optional<std::int64_t>(1);
    EXPECT_FALSE(kind.parses(round)) << kind.name;
  }
}

TEST(Acts, BlobsMustFitTheKind) {
  for (const Kind& kind : kinds()) {
    Payload more = kind.payload;
    more.blobs.push_back(blob("one more", "text/plain"));
    EXPECT_FALSE(kind.parses(more)) << kind.name;
    for (std::size_t i = 0; i < kind.payload.blobs.size(); ++i) {
      Payload type = kind.payload;
      type.blobs[i].type = "text/plain";
      EXPECT_FALSE(kind.parses(type)) << kind.name;
      Payload empty = kind.payload;
      empty.blobs[i].size = 0;
      EXPECT_FALSE(kind.parses(empty)) << kind.name;
    }
    if (kind.payload.blobs.size() != 1) continue;
    Payload none = kind.payload;
    none.blobs.clear();
    EXPECT_FALSE(kind.parses(none)) << kind.name;
  }
}

TEST(Acts, ACloseHasOneUpdateThenOneCheckpoint) {
  const Kind close = kinds().back();
  Payload swapped = close.payload;
  std::swap(swapped.blobs[0], swapped.blobs[1]);
  EXPECT_FALSE(close.parses(swapped));
  Payload twice = close.payload;
  twice.blobs = {close.payload.blobs[0], close.payload.blobs[0]};
  EXPECT_FALSE(close.parses(twice));
  Payload other = close.payload;
  other.blobs[1].digest = digest_of("not the weights");
  EXPECT_FALSE(close.parses(other));
  Payload neither = close.payload;
  neither.blobs.clear();
  EXPECT_TRUE(close.parses(neither));
}

TEST(Acts, AReplicaThatCannotBeSentHasNoErrorFeedback) {
  Audit act{digest_of("run"), 0, digest_of("c"), AuditResult::differs, Replica{}, {}, {}};
  EXPECT_TRUE(parse_audit(write(act)).ok());
  act.made->delta = digest_of("delta");
  EXPECT_FALSE(parse_audit(write(act)).ok());
}

// Values that no member of any body may have.
std::vector<Json> nonsense() {
  JsonArray long_array(1000, Json(1));
  return {Json(-1),
          Json(true),
          Json(""),
          Json("\x01"),
          Json(std::string(300, 'a')),
          Json(std::string(64, 'g')),
          Json(std::string(64, 'A')),
          Json(kJsonIntegerMax),
          Json(-kJsonIntegerMax),
          Json(JsonArray{Json(1)}),
          Json(long_array),
          Json(JsonObject{{"a", 1}})};
}

TEST(Acts, EveryMemberOfABodyIsNeededAndChecked) {
  for (const Kind& kind : kinds()) {
    const JsonObject body = *kind.payload.body.object();
    Payload surprise = kind.payload;
    JsonObject wider = body;
    wider["surprise"] = 1;
    surprise.body = wider;
    EXPECT_FALSE(kind.parses(surprise)) << kind.name;
    for (const auto& [member, value] : body) {
      Payload missing = kind.payload;
      JsonObject smaller = body;
      smaller.erase(member);
      missing.body = smaller;
      // A run that reports no loss has scores without one; which run that is, the fold knows.
      const bool optional = kind.name == "score" && member == "loss";
      EXPECT_EQ(kind.parses(missing), optional) << kind.name << "." << member;
      const bool free_text = kind.name == "genesis" && (member == "name" || member == "vkey");
      for (const Json& bad : nonsense()) {
        if (free_text && bad.string() && bad.string()->size() >= 64) continue;
        Payload wrong = kind.payload;
        JsonObject other = body;
        other[member] = bad;
        wrong.body = other;
        EXPECT_FALSE(kind.parses(wrong)) << kind.name << "." << member << " = " << write(bad);
      }
    }
  }
}

TEST(Acts, EveryMemberOfAScoreEntryIsNeededAndChecked) {
  const Kind score = kinds()[8];
  ASSERT_EQ(score.name, "score");
  const auto with_entry = [&score](const Json& entry) {
    Payload payload = score.payload;
    JsonObject body = *payload.body.object();
    body["entries"] = JsonArray{entry};
    payload.body = body;
    return payload;
  };
  const JsonObject good = *score.payload.body.find("entries")->array()->front().object();
  EXPECT_TRUE(score.parses(with_entry(good)));
  for (const auto& [member, value] : good) {
    JsonObject smaller = good;
    smaller.erase(member);
    EXPECT_FALSE(score.parses(with_entry(smaller))) << member;
    for (const Json& bad : nonsense()) {
      if (bad == Json(-1) && (member == "exp" || member == "gain")) continue;  // fine there
      JsonObject other = good;
      other[member] = bad;
      EXPECT_FALSE(score.parses(with_entry(other))) << member << " = " << write(bad);
    }
  }
  for (const char* norm : {"01", "+1", "1.5", " 1", "0x1"}) {
    JsonObject other = good;
    other["norm"] = norm;
    EXPECT_FALSE(score.parses(with_entry(other))) << norm;
  }
  for (const char* verdict :
       {"OK", "malformed: ", "malformed", "because", "bad\"quote", "norm: ", "norm"}) {
    JsonObject other = good;
    other["v"] = verdict;
    other["gain"] = 0;
    EXPECT_FALSE(score.parses(with_entry(other))) << verdict;
  }
  JsonObject too_long = good;
  too_long["v"] = "norm: 12.5 times the median";
  too_long["gain"] = 0;
  EXPECT_TRUE(score.parses(with_entry(too_long)));
  JsonObject gain_of_nothing = good;
  gain_of_nothing["v"] = "withheld";
  EXPECT_FALSE(score.parses(with_entry(gain_of_nothing)));
}

// A group is named by its first contribution, and what was not evaluated is in none.
TEST(Acts, GroupsAreNamedByTheirFirst) {
  Score score;
  score.run = digest_of("run");
  const auto parses = [&score](std::vector<std::pair<std::int64_t, std::string>> entries) {
    score.entries.clear();
    for (const auto& [group, verdict] : entries) {
      score.entries.push_back({0, "0", 0, verdict, group});
    }
    return parse_score(write(score)).ok();
  };
  EXPECT_TRUE(parses({{0, "ok"}, {1, "ok"}, {0, "ok"}, {1, "ok"}}));
  EXPECT_TRUE(parses({{0, "withheld"}, {1, "ok"}, {1, "ok"}}));
  EXPECT_FALSE(parses({{1, "ok"}, {1, "ok"}}));                   // not the first
  EXPECT_FALSE(parses({{0, "ok"}, {0, "ok"}, {1, "ok"}}));        // 1 is in 0's group
  EXPECT_FALSE(parses({{0, "ok"}, {2, "ok"}}));                   // nobody's
  EXPECT_FALSE(parses({{0, "withheld"}, {0, "ok"}}));             // of nothing
  EXPECT_FALSE(parses({{0, "ok"}, {0, "norm: 12.0 times it"}}));  // of what is not accepted
}

TEST(Acts, ARunsPeopleAreDistinctAndItsNameIsASlug) {
  const Kind run = kinds()[3];
  ASSERT_EQ(run.name, "run");
  const auto with = [&run](const char* member, const Json& value) {
    Payload payload = run.payload;
    JsonObject body = *payload.body.object();
    body[member] = value;
    payload.body = body;
    return run.parses(payload);
  };
  const Json v1 = digest_of("v1").hex();
  EXPECT_TRUE(with("validators", JsonArray{v1}));
  EXPECT_FALSE(with("validators", JsonArray{v1, v1}));
  EXPECT_FALSE(with("validators", JsonArray{}));
  EXPECT_FALSE(with("validators", JsonArray{Json(1)}));
  for (const char* name : {"a", "run-7", "0"}) EXPECT_TRUE(with("name", name));
  for (const char* name : {"-a", "a-", "A", "a b", "a/b", "../x", "a.b", "é"}) {
    EXPECT_FALSE(with("name", name)) << name;
  }
}

// Members that only runs with domains have: there is one way to write their absence.
TEST(Acts, DomainsAreNamedOrNotThere) {
  const auto with = [](const Kind& kind, const char* member, const Json& value) {
    Payload payload = kind.payload;
    JsonObject body = *payload.body.object();
    body[member] = value;
    payload.body = body;
    return kind.parses(payload);
  };
  const Kind run = kinds()[3];
  ASSERT_EQ(run.name, "run");
  EXPECT_TRUE(with(run, "domains", JsonArray{"english", "swahili"}));
  for (const Json& bad : {Json(JsonArray{}), Json(JsonArray{"b", "a"}), Json(JsonArray{"a", "a"}),
                          Json(JsonArray{"A"}), Json(JsonArray{1}), Json("a"), Json(nullptr),
                          Json(JsonArray{std::string(32, 'a')}),
                          Json(JsonArray{"a", "b", "c", "d", "e", "f", "g", "h", "i"})}) {
    EXPECT_FALSE(with(run, "domains", bad)) << write(bad);
  }
  const Kind contribution = kinds()[7];
  ASSERT_EQ(contribution.name, "contribution");
  EXPECT_TRUE(with(contribution, "domain", "swahili"));
  for (const Json& bad : {Json(""), Json("Swahili"), Json(1), Json(nullptr), Json(JsonArray{})}) {
    EXPECT_FALSE(with(contribution, "domain", bad)) << write(bad);
  }
  const auto entry = [](const char* verdict, const Json& domains) {
    Score score;
    score.run = digest_of("run");
    score.entries = {{0, "0", 0, verdict, 0}};
    Payload payload = write(score);
    JsonObject one = *payload.body.find("entries")->array()->front().object();
    one["domains"] = domains;
    JsonObject body = *payload.body.object();
    body["entries"] = JsonArray{one};
    payload.body = body;
    return parse_score(payload).ok();
  };
  const auto own = [](const char* verdict, const Json& value) {
    Score score;
    score.run = digest_of("run");
    score.entries = {{0, "0", 0, verdict, 0}};
    Payload payload = write(score);
    JsonObject one = *payload.body.find("entries")->array()->front().object();
    one["own"] = value;
    JsonObject body = *payload.body.object();
    body["entries"] = JsonArray{one};
    payload.body = body;
    return parse_score(payload).ok();
  };
  EXPECT_TRUE(own("ok", Json(-kDomainNanosMax)));
  EXPECT_FALSE(own("withheld", Json(1)));
  for (const Json& bad : {Json(kDomainNanosMax + 1), Json("1"), Json(nullptr)}) {
    EXPECT_FALSE(own("ok", bad)) << write(bad);
  }
  EXPECT_TRUE(entry("ok", JsonArray{1, -kDomainNanosMax, kDomainNanosMax}));
  EXPECT_FALSE(entry("withheld", JsonArray{1}));
  for (const Json& bad :
       {Json(JsonArray{}), Json(JsonArray{kDomainNanosMax + 1}), Json(JsonArray{"1"}), Json(1),
        Json(nullptr), Json(JsonArray{1, 2, 3, 4, 5, 6, 7, 8, 9})}) {
    EXPECT_FALSE(entry("ok", bad)) << write(bad);
  }
}

// The limits of acts.h are limits of the record too: what the rules allow can be said.
TEST(Acts, AFullRoundFitsIntoARecord) {
  LogBuilder log;
  Score score;
  score.run = digest_of("run");
  score.round = kRoundsMax;
  score.loss_nanos = kNanosMax;
  Close close;
  close.run = score.run;
  close.round = kRoundsMax;
  close.update = BlobRef{digest_of("u"), kBlobBytesMax, std::string(kUpdateType)};
  close.checkpoint = BlobRef{close.weights, kBlobBytesMax, std::string(kWeightsType)};
  for (std::size_t i = 0; i < kContributionsPerRoundMax; ++i) {
    ScoreEntry entry;
    entry.gain_nanos = -kNanosMax;
    entry.norm_exponent = -kNormExponentMax;
    entry.squared_norm = std::string(kNormDigitsMax, '9');
    entry.group = static_cast<std::int64_t>(i);
    entry.domain_gains.assign(format::kDomainsMax, -kDomainNanosMax);
    entry.own_nanos = -kDomainNanosMax;
    score.entries.push_back(entry);
    close.accepted.push_back(digest_of(std::to_string(i)));
  }
  for (Payload payload : {write(score), write(close)}) {
    payload.log = std::string(kRecordLogBytesMax, 'o');
    payload.author = log.id("v1");
    payload.seq = static_cast<std::uint64_t>(kJsonIntegerMax);
    payload.prev = digest_of("p");
    const Result<Bytes> entry = sign_record(payload, log.key("v1"));
    ASSERT_TRUE(entry.ok()) << entry.error().message;
    EXPECT_TRUE(parse_envelope(*entry).ok());
  }
  // The longest entries are as long as the limit says, and less.
  const auto bytes_of_last = [](Score said) {
    const std::size_t all = write(*write(said).body.find("entries")).size();
    said.entries.pop_back();
    return all - write(*write(said).body.find("entries")).size();
  };
  EXPECT_EQ(bytes_of_last(score), kScoreEntryBytesMax);
  score.entries.back().gain_nanos = 0;
  score.entries.back().domain_gains.clear();
  score.entries.back().own_nanos.reset();
  score.entries.back().verdict = "malformed: " + std::string(kReasonBytesMax - 11, 'x');
  EXPECT_LE(bytes_of_last(score), kScoreEntryBytesMax);
}

}  // namespace
}  // namespace harambee::fold

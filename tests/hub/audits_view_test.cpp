// What a hub shows of training that was done again: what each auditor found, how near it came, and
// from where that is near enough.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "hub/page.h"
#include "hub/views.h"
#include "tests/fold/audit_world.h"

namespace harambee::hub {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// Three members in a round that is audited: ada and ben are exact, eve trains with other libraries.
class AuditsView : public fold::AuditWorld {
 protected:
  static fold::Recipe recipe() {
    fold::Recipe recipe = fold::audited_recipe();
    recipe.inner.steps = fold::kToleranceStepsMin;
    return recipe;
  }
  AuditsView() : AuditWorld({"v1", "v2", "v3"}, recipe()) {
    swarm.leave("eve");
    swarm.join("eve", "torch-2");
    swarm.contribute({"ada", "ben", "eve"});
    swarm.finish_round();
    swarm.tick_after(1);
    const fold::ClosedContribution& one = of("eve");
    const BlobRef state{one.error_feedback.after, 100, std::string(fold::kErrorFeedbackType)};
    EXPECT_EQ(swarm.say("eve", write(fold::Reveal{swarm.run_id, 0, one.place.id, {state}})).reason,
              "");
  }

  void find(const std::string& auditor, fold::AuditResult result, std::int64_t cosine_nanos,
            std::int64_t distance_nanos) {
    const fold::Audit act{
        swarm.run_id,           0, of("eve").place.id, result, {}, Decimal{cosine_nanos},
        Decimal{distance_nanos}};
    EXPECT_EQ(say(auditor, act), "");
  }

  // As the hub folds its own log.
  Folded folded() {
    Folded out;
    for (const Bytes& entry : swarm.entries) {
      Unverified record = *parse_envelope(entry);
      const fold::Author* author = out.state.author(record.payload().author);
      const PublicKey key = author ? author->key : *record.own_key();
      EXPECT_NE(fold_entry(out, *std::move(record).verify(key)).effect, fold::Effect::corrupt);
    }
    return out;
  }
  Json record_of(const Folded& folded, const fold::Place& place) {
    return record_view(folded, place.index, *parse_envelope(swarm.entries[place.index]));
  }
  static json parsed(const Json& view) { return json::parse(write(view)); }
  // The audits in a view.
  static json audits(const Json& view) { return parsed(view)["audits"]; }
};

TEST_F(AuditsView, SaysHowNearEachAnswerIsAndFromWhereItIsNear) {
  const auto asked = drawn(audit("eve"));
  ASSERT_EQ(asked.size(), 2u);
  find(asked[0], fold::AuditResult::near, 999'996'998, 2'512'000);
  const RecordId answer = swarm.last;
  find(asked[1], fold::AuditResult::far, -175'000'000, 1'300'000'000);
  const Folded hub = folded();
  const json shown = audits(*run_view(hub, "demo"));
  EXPECT_EQ(shown["total"], 3);
  EXPECT_EQ(shown["near"], json::parse(R"({"cosine_min":"0.99","distance_max":"0.1"})"));
  const json eve = audits(*member_view(hub, "demo", swarm.id("eve")));
  EXPECT_EQ(eve["total"], 1);
  EXPECT_EQ(eve["near"], shown["near"]);
  ASSERT_EQ(eve["rows"].size(), 1u);
  EXPECT_EQ(eve["rows"][0]["id"], of("eve").place.id.hex());
  EXPECT_EQ(eve["rows"][0]["answers"], 2);
  const json& found = eve["rows"][0]["found"];
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["auditor"], swarm.id(asked[0]).hex());
  EXPECT_EQ(found[0]["id"], answer.hex());
  EXPECT_EQ(found[0]["result"], "near");
  EXPECT_EQ(found[0]["cosine"], "0.999996998");
  EXPECT_EQ(found[0]["distance"], "0.002512");
  EXPECT_EQ(found[1]["result"], "far");
  EXPECT_EQ(found[1]["cosine"], "-0.175");
  EXPECT_EQ(found[1]["distance"], "1.3");
}

TEST_F(AuditsView, AnExactAnswerHasNoSuchNumbers) {
  ASSERT_EQ(say(drawn(audit("ada"))[0], exact("ada")), "");
  const json found = audits(*member_view(folded(), "demo", swarm.id("ada")))["rows"][0]["found"];
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]["result"], "exact");
  EXPECT_TRUE(found[0]["cosine"].is_null());
  EXPECT_TRUE(found[0]["distance"].is_null());
}

TEST_F(AuditsView, AContributionsPageHasItsOwnAuditAndOtherRecordsHaveNone) {
  const Folded hub = folded();
  const json shown = audits(record_of(hub, of("eve").place));
  ASSERT_EQ(shown["rows"].size(), 1u);
  EXPECT_EQ(shown["rows"][0]["author"], swarm.id("eve").hex());
  EXPECT_EQ(shown["rows"][0]["state"], "audit");
  EXPECT_EQ(shown["open"], 1);
  EXPECT_TRUE(audits(record_of(hub, audit("eve").opened)).is_null());
}

TEST_F(AuditsView, IsReadableWithoutScripts) {
  const Json before = *run_view(folded(), "demo");
  EXPECT_THAT(run_body(before, {}), HasSubstr("<h2>Trained again, to check</h2>"));
  EXPECT_THAT(run_body(before, {}), Not(HasSubstr("cosine 0")));
  find(drawn(audit("eve"))[0], fold::AuditResult::far, 894'000'000, 490'000'000);
  const Folded hub = folded();
  for (const std::string& page : {run_body(*run_view(hub, "demo"), {}),
                                  detail_body(*member_view(hub, "demo", swarm.id("eve"))),
                                  detail_body(record_of(hub, of("eve").place))}) {
    EXPECT_THAT(page, HasSubstr("far</a>: cosine 0.894, distance 0.49"));
    EXPECT_THAT(page,
                HasSubstr("a cosine of at least 0.99 and a relative distance of at most 0.1"));
  }
}

}  // namespace
}  // namespace harambee::hub

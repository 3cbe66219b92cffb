// Audits: who is drawn, what an answer does, who is suspended, convicted, cleared, named a liar.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/rng.h"
#include "tests/fold/audit_world.h"

namespace harambee::fold {
namespace {

class AuditTest : public AuditWorld {
 protected:
  using AuditWorld::AuditWorld;
};

// ── The draw ──

TEST_F(AuditTest, AreDrawnAtTheFirstTickAfterTheClose) {
  swarm.play_round({"ada", "ben", "eve"});
  EXPECT_TRUE(run().audits.empty());
  swarm.tick_after(1);
  EXPECT_EQ(run().audits.size(), 3u);
  swarm.tick_after(1);
  EXPECT_EQ(run().audits.size(), 3u);
  for (const AuditCase& one : run().audits) {
    EXPECT_EQ(one.phase, AuditPhase::audit);
    EXPECT_EQ(one.auditors.size(), 2u);
    EXPECT_FALSE(one.everybody);
  }
}

TEST_F(AuditTest, ARejectedContributionIsNotAudited) {
  swarm.play_round({"ada", "ben", "eve"}, {{"eve", -1}});
  swarm.tick_after(1);
  EXPECT_EQ(run().audits.size(), 2u);
  EXPECT_EQ(say("v1", exact("eve")), "the contribution was rejected: it moved and earned nothing");
}

TEST_F(AuditTest, NobodyAuditsItself) {
  swarm.join({"v1"});
  swarm.play_round({"ada", "v1"});
  for (int i = 0; i < 12; ++i) {
    swarm.play_round({"ada", "v1"});
    swarm.tick_after(1);
    EXPECT_FALSE(audit("v1", i).asks(swarm.id("v1")));
  }
  EXPECT_EQ(say("v1", differs("v1")), "nobody audits itself");
}

TEST(AuditDraw, FallsAsOftenAsTheRateSays) {
  const Digest seed = audit_seed(digest_of("root"));
  for (const std::int64_t percent : {0, 1, 5, 50, 100}) {
    int hits = 0;
    for (int i = 0; i < 20'000; ++i) {
      const Decimal rate{percent * 10'000'000};
      hits += audit_falls_on(seed, digest_of("c" + std::to_string(i)), rate) ? 1 : 0;
    }
    const double expected = 200.0 * static_cast<double>(percent);
    const double five_sigma = 5 * std::sqrt(expected * (1 - expected / 20'000));
    EXPECT_NEAR(hits, expected, five_sigma) << percent;
  }
}

TEST(AuditDraw, IsTheSeedsAlone) {
  const RecordId c = digest_of("c");
  std::vector<KeyId> keys;
  for (int i = 0; i < 9; ++i) keys.push_back(digest_of("key" + std::to_string(i)));
  std::vector<KeyId> turned(keys.rbegin(), keys.rend());
  const Digest seed = digest_of("seed");
  EXPECT_EQ(drawn_auditors(seed, c, keys, 3), drawn_auditors(seed, c, turned, 3));
  EXPECT_NE(drawn_auditors(seed, c, keys, 3), drawn_auditors(digest_of("other"), c, keys, 3));
  EXPECT_NE(drawn_auditors(seed, c, keys, 3), drawn_auditors(seed, digest_of("d"), keys, 3));
  EXPECT_EQ(drawn_auditors(seed, c, keys, 99).size(), 9u);
  EXPECT_EQ(audit_seed(digest_of("root")),
            sha256({view("harambee audit v1\n"), digest_of("root").view()}));
}

Digest random_digest(Rng& rng) {
  Bytes bytes;
  put_u64be(bytes, rng.next());
  return sha256(bytes);
}

// "Audits needed for 95 % detection": a forger who forges every round is drawn within so many, in
// 95 of 100 runs. 1 − (1 − p)^n ≥ 0.95, and the draw itself, over 4000 seeded forgers.
TEST(AuditDraw, DetectsWithinTheComputedNumberOfForgeries) {
  const std::map<int, int> computed = {{1, 299}, {2, 149}, {5, 59}, {10, 29}};
  for (const auto& [percent, forgeries] : computed) {
    const double p = percent / 100.0;
    EXPECT_GE(1 - std::pow(1 - p, forgeries), 0.95);
    EXPECT_LT(1 - std::pow(1 - p, forgeries - 1), 0.95);
    constexpr int kForgers = 4'000;
    int caught = 0;
    for (int forger = 0; forger < kForgers; ++forger) {
      Rng rng(digest_of("forger " + std::to_string(percent) + " " + std::to_string(forger)));
      bool drawn = false;
      for (int round = 0; round < forgeries && !drawn; ++round) {
        const Digest root = random_digest(rng);
        drawn =
            audit_falls_on(root, digest_of("its contribution"), Decimal{percent * 10'000'000LL});
      }
      caught += drawn ? 1 : 0;
    }
    // Four standard deviations of a share of 0.95 among 4000.
    EXPECT_NEAR(static_cast<double>(caught) / kForgers, 0.95, 0.014) << percent << " %";
  }
}

// ── Answers ──

TEST_F(AuditTest, PassesWhenAllWhoWereDrawnMadeTheSame) {
  round();
  const auto auditors = drawn(audit("ada"));
  EXPECT_EQ(say(auditors[0], exact("ada")), "");
  EXPECT_EQ(audit("ada").phase, AuditPhase::audit);
  EXPECT_EQ(say(auditors[1], exact("ada")), "");
  EXPECT_EQ(audit("ada").end, AuditEnd::passed);
  EXPECT_FALSE(swarm.member("ada").suspended);
}

TEST_F(AuditTest, AnswersThatContradictThemselvesAreInert) {
  round();
  const std::string auditor = drawn(audit("ada"))[0];
  Audit wrong = exact("ada");
  wrong.made->optimizer = digest_of("other");
  EXPECT_EQ(say(auditor, wrong), "made: not what the contribution committed to");
  wrong = exact("ada");
  wrong.made->error_feedback = digest_of("other");
  EXPECT_EQ(say(auditor, wrong), "made: not what the contribution committed to");
  wrong = exact("ada");
  wrong.result = AuditResult::differs;
  EXPECT_EQ(say(auditor, wrong), "made: just what the contribution committed to");
  wrong.result = AuditResult::far;
  wrong.made.reset();
  wrong.cosine = Decimal{1};
  wrong.distance = Decimal{1};
  EXPECT_EQ(say(auditor, wrong), "result: far cannot be said of class exact-1");
  wrong.result = AuditResult::withheld;
  wrong.cosine.reset();
  wrong.distance.reset();
  EXPECT_EQ(say(auditor, wrong), "nothing had to be revealed");
  EXPECT_EQ(say(auditor, exact("ada", 0)), "");
  EXPECT_EQ(say(auditor, exact("ada", 0)), "the author has answered already");
}

TEST_F(AuditTest, OnlyAuditorsWhoWereAskedAnswerUnlessTheyBringAProof) {
  round();
  EXPECT_EQ(say("ben", exact("ada")), "the author is no auditor of this run");
  const std::string other = undrawn(audit("ada"));
  EXPECT_EQ(say(other, exact("ada")), "the author was not asked for this audit");
  EXPECT_EQ(say(other, differs("ada")), "");
  EXPECT_TRUE(audit("ada").everybody);
  EXPECT_EQ(audit("ada").auditors.size(), 5u);
}

TEST_F(AuditTest, OneDifferenceSuspendsAndCallsEverybody) {
  round();
  const std::string auditor = drawn(audit("eve"))[0];
  EXPECT_EQ(say(auditor, differs("eve")), "");
  EXPECT_EQ(audit("eve").auditors.size(), 5u);
  ASSERT_TRUE(swarm.member("eve").suspended);
  EXPECT_THAT(*swarm.member("eve").suspended, HasSubstr("made other bytes"));
  EXPECT_FALSE(swarm.member("eve").excluded);
  EXPECT_EQ(swarm.member("eve").suspended_by.id, swarm.last);
  EXPECT_THAT(swarm.contribute("eve").reason, HasSubstr("the author is suspended: "));
  EXPECT_THAT(verdict("eve"), HasSubstr("suspended"));
  // The round does not wait for it.
  EXPECT_EQ(run().round.waiting_for, 2);
  swarm.contribute({"ada", "ben"});
  swarm.tick_after(1);
  EXPECT_EQ(run().phase, Phase::score);
  EXPECT_TRUE(run().missed.empty());
}

TEST_F(AuditTest, AMajorityOfAllAuditorsWithTheSameBytesConvicts) {
  round();
  const MicroCredit had = swarm.member("eve").credit;
  EXPECT_GT(had.micros(), 0);
  EXPECT_EQ(say("v1", differs("eve")), "");
  EXPECT_EQ(say("v2", differs("eve")), "");
  EXPECT_FALSE(swarm.member("eve").slashed);
  EXPECT_EQ(say("v3", differs("eve", "something else")), "");
  EXPECT_FALSE(swarm.member("eve").slashed);
  EXPECT_EQ(say("v4", differs("eve")), "");
  EXPECT_EQ(audit("eve").end, AuditEnd::convicted);
  EXPECT_TRUE(swarm.member("eve").slashed);
  ASSERT_TRUE(swarm.member("eve").excluded);
  EXPECT_THAT(*swarm.member("eve").excluded,
              HasSubstr("3 of 5 auditors made the same other bytes"));
  EXPECT_EQ(swarm.member("eve").excluded_by.id, swarm.last);
  EXPECT_EQ(swarm.member("eve").credit, MicroCredit());
  EXPECT_EQ(run().credits.at(swarm.id("eve")), MicroCredit());
  EXPECT_EQ(run().forfeited, had);
  EXPECT_EQ(of("eve").forfeited, had);
  expect_credits_add_up();
  EXPECT_THAT(swarm.contribute("eve").reason, HasSubstr("the author is excluded: convicted"));
  EXPECT_THAT(swarm.join("eve").reason, HasSubstr("excluded"));
  EXPECT_THAT(verdict("eve"), HasSubstr("convicted of forgery"));
  // Who made bytes of its own lied as well.
  EXPECT_TRUE(run().liars.contains(swarm.id("v3")));
  EXPECT_EQ(run().liars.size(), 1u);
}

TEST_F(AuditTest, WhoCoveredForAForgerLosesItsRole) {
  round();
  const auto friends = drawn(audit("eve"));
  for (const std::string& each : friends) EXPECT_EQ(say(each, exact("eve")), "");
  EXPECT_EQ(audit("eve").end, AuditEnd::passed);
  std::vector<std::string> honest;
  for (const std::string& name : swarm.validator_names) {
    if (std::ranges::find(friends, name) == friends.end()) honest.push_back(name);
  }
  for (const std::string& each : honest) EXPECT_EQ(say(each, differs("eve")), "");
  EXPECT_TRUE(swarm.member("eve").slashed);
  for (const std::string& each : friends) {
    ASSERT_TRUE(run().liars.contains(swarm.id(each)));
    EXPECT_FALSE(run().is_validator(swarm.id(each)));
    EXPECT_EQ(say(each, exact("ada")), "the author is no auditor of this run");
    EXPECT_THAT(verdict(each), HasSubstr("says other than the majority"));
  }
  // They do not score either, and nobody waits for them.
  swarm.contribute({"ada", "ben"});
  swarm.tick_after(1);
  ASSERT_EQ(run().phase, Phase::score);
  EXPECT_EQ(swarm.give_score(friends[0], swarm.score()).reason,
            "the author is not a validator of this run");
  for (const std::string& each : honest)
    EXPECT_EQ(swarm.give_score(each, swarm.score()).reason, "");
  EXPECT_EQ(run().phase, Phase::closing);
}

TEST_F(AuditTest, AnHonestMemberIsClearedAndItsAccuserNamed) {
  round();
  EXPECT_EQ(say("v1", differs("ada")), "");
  EXPECT_TRUE(swarm.member("ada").suspended);
  const std::int64_t waiting = run().round.waiting_for;
  for (const char* each : {"v2", "v3", "v4"}) EXPECT_EQ(say(each, exact("ada")), "");
  EXPECT_EQ(audit("ada").end, AuditEnd::cleared);
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_EQ(run().round.waiting_for, waiting + 1);
  EXPECT_EQ(swarm.contribute("ada").reason, "");
  ASSERT_TRUE(run().liars.contains(swarm.id("v1")));
  EXPECT_EQ(run().liars.size(), 1u);
  EXPECT_THAT(verdict("v1"), HasSubstr("accused an honest contribution"));
  expect_credits_add_up();
}

// Two liars of five: whatever they do, they convict nobody, and at last they are named.
TEST_F(AuditTest, AMinorityOfLiarsConvictsNobody) {
  round();
  EXPECT_EQ(say("v1", differs("ada", "lie")), "");
  EXPECT_EQ(say("v2", differs("ada", "lie")), "");
  swarm.tick_after(patience());  // nobody else answers
  EXPECT_EQ(audit("ada").end, AuditEnd::accused);
  EXPECT_TRUE(swarm.member("ada").suspended);
  EXPECT_FALSE(swarm.member("ada").slashed);
  EXPECT_EQ(swarm.member("ada").credit.micros(), 266'667);
  // The accused has it done again.
  EXPECT_EQ(dispute("ben", "ada").reason, "all auditors have been called already");
  EXPECT_EQ(dispute("ada", "ada").reason, "");
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_EQ(say("v1", differs("ada", "lie")), "");
  EXPECT_TRUE(swarm.member("ada").suspended);
  for (const char* each : {"v3", "v4", "v5"}) EXPECT_EQ(say(each, exact("ada")), "");
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_TRUE(run().liars.contains(swarm.id("v1")));
  EXPECT_EQ(dispute("ada", "ada").reason, "nobody holds it against its author");
}

TEST_F(AuditTest, TheAccusedHasOneDispute) {
  round();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(say("v1", differs("ada", "lie")), "");
    swarm.tick_after(patience());
    EXPECT_EQ(audit("ada").end, AuditEnd::accused);
    EXPECT_EQ(dispute("ada", "ada").reason, i == 0 ? "" : "it has been done again already");
  }
}

TEST_F(AuditTest, LapsesQuietlyWhenNobodyAnswers) {
  round();
  swarm.tick_after(patience() - 1);
  EXPECT_EQ(audit("ada").end, AuditEnd::none);
  swarm.tick_after(1);
  EXPECT_EQ(audit("ada").end, AuditEnd::lapsed);
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_EQ(say(drawn(audit("ada"))[0], exact("ada")), "the author was not asked for this audit");
}

TEST_F(AuditTest, OneAnswerIsEnoughAtTheDeadline) {
  round();
  EXPECT_EQ(say(drawn(audit("ada"))[0], exact("ada")), "");
  swarm.tick_after(patience());
  EXPECT_EQ(audit("ada").end, AuditEnd::passed);
}

TEST_F(AuditTest, AContradictionWithoutAMajorityLiftsTheSuspension) {
  round();
  EXPECT_EQ(say("v1", differs("ada")), "");
  EXPECT_EQ(say("v2", exact("ada")), "");
  EXPECT_TRUE(swarm.member("ada").suspended);
  swarm.tick_after(patience());
  EXPECT_EQ(audit("ada").end, AuditEnd::undecided);
  EXPECT_FALSE(swarm.member("ada").suspended);
  EXPECT_TRUE(run().liars.empty());
}

// ── Disputes ──

TEST_F(AuditTest, AnEstablishedMemberCallsAllAuditors) {
  round();
  for (const std::string& each : drawn(audit("eve"))) say(each, exact("eve"));
  EXPECT_EQ(audit("eve").end, AuditEnd::passed);
  EXPECT_EQ(dispute("ben", "eve").reason, "");
  EXPECT_TRUE(audit("eve").everybody);
  EXPECT_EQ(audit("eve").answers.size(), 2u);
  for (const std::string& each : swarm.validator_names) {
    if (!audit("eve").answer_of(swarm.id(each))) say(each, differs("eve"));
    if (audit("eve").phase == AuditPhase::ended) break;
  }
  EXPECT_EQ(audit("eve").end, AuditEnd::convicted);
}

TEST_F(AuditTest, AGroundlessDisputeIsTheDisputersLast) {
  round();
  EXPECT_EQ(dispute("ben", "ada").reason, "");
  EXPECT_EQ(dispute("ben", "eve").reason, "the author's last dispute is open");
  for (const char* each : {"v1", "v2", "v3"}) say(each, exact("ada"));
  EXPECT_EQ(audit("ada").end, AuditEnd::cleared);
  EXPECT_TRUE(run().liars.contains(swarm.id("ben")));
  EXPECT_THAT(dispute("ben", "eve").reason, HasSubstr("was found to lie"));
  // Nothing else happens to it.
  EXPECT_EQ(swarm.contribute("ben").reason, "");
}

TEST_F(AuditTest, StrangersNewcomersAndLatecomersDoNotDispute) {
  round();
  EXPECT_THAT(dispute("stranger", "ada").reason, HasSubstr("only established members"));
  EXPECT_THAT(dispute("v1", "ada").reason, HasSubstr("only established members"));
  for (int i = 0; i < kDisputeRounds; ++i) round();
  EXPECT_EQ(dispute("ben", "ada").reason, "");
  round();
  EXPECT_EQ(dispute("eve", "ben").reason, "late: the contribution is too old");
}

TEST_F(AuditTest, TheOpenRoundPaysTheConvictedNothing) {
  round();
  swarm.contribute({"ada", "ben", "eve"});
  for (const char* each : {"v1", "v2", "v3"}) EXPECT_EQ(say(each, differs("eve")), "");
  ASSERT_TRUE(swarm.member("eve").slashed);
  swarm.finish_round();
  EXPECT_EQ(swarm.member("eve").credit, MicroCredit());
  expect_credits_add_up();
}

// ── One auditor, two auditors ──

class OneAuditor : public AuditTest {
 protected:
  OneAuditor() : AuditTest({"v1"}) {}
};

TEST_F(OneAuditor, SuspendsButNeverConvicts) {
  round();
  EXPECT_EQ(say("v1", differs("eve")), "");
  EXPECT_EQ(audit("eve").end, AuditEnd::accused);
  EXPECT_TRUE(swarm.member("eve").suspended);
  EXPECT_FALSE(swarm.member("eve").slashed);
}

TEST_F(OneAuditor, KeepsItsRoleAsTheLastValidator) {
  round();
  EXPECT_EQ(say("v1", differs("eve")), "");
  EXPECT_EQ(dispute("eve", "eve").reason, "");
  EXPECT_EQ(say("v1", exact("eve")), "");
  EXPECT_EQ(audit("eve").end, AuditEnd::cleared);
  EXPECT_TRUE(run().is_validator(swarm.id("v1")));
}

class TwoAuditors : public AuditTest {
 protected:
  TwoAuditors() : AuditTest({"v1", "v2"}) {}
};

TEST_F(TwoAuditors, BothConvictOneAloneDoesNot) {
  round();
  EXPECT_EQ(say("v1", differs("eve")), "");
  EXPECT_FALSE(swarm.member("eve").slashed);
  EXPECT_EQ(say("v2", differs("eve")), "");
  EXPECT_TRUE(swarm.member("eve").slashed);
}

}  // namespace
}  // namespace harambee::fold

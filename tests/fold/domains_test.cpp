// Guarded domains: nobody harms one, and who serves one is not gated out by the others.
#include <gmock/gmock.h>

#include "fold/explain.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::digest_of;
using ::testing::HasSubstr;
using testing::small_recipe;
using testing::Swarm;

constexpr std::int64_t kMilli = 1'000'000;  // of a nat, in nano-nats

// What one contribution does: to everything, to english, to swahili; in thousandths of a nat.
struct Effect3 {
  std::string who;
  std::int64_t all, english, swahili;
};

class Domains : public ::testing::Test {
 protected:
  static Recipe recipe(const char* guard = "0.05") {
    Recipe recipe = small_recipe();
    recipe.rounds = 20;
    recipe.judge.guard = *Decimal::parse(guard);
    return recipe;
  }
  static Swarm swarm(std::vector<std::string> domains = {"english", "swahili"},
                     const Recipe& recipe = Domains::recipe()) {
    Swarm swarm({"v1", "v2", "v3"}, recipe, std::move(domains));
    swarm.join({"en-1", "en-2", "sw"});
    swarm.start();
    return swarm;
  }
  static void contribute(Swarm& swarm, const std::string& domain_of_sw) {
    swarm.contribute({"en-1", "en-2"});
    Contribution act = swarm.contribution("sw");
    act.domain = domain_of_sw;
    ASSERT_EQ(swarm.say("sw", write(act)).reason, "");
    swarm.tick_after(swarm.run().recipe.commit_ms);
  }
  // en-1 and en-2 help everybody a little; "sw" does as told.
  static Score score(Swarm& swarm, const Effect3& effect) {
    Score act = swarm.score();
    for (std::size_t i = 0; i < act.entries.size(); ++i) {
      if (swarm.run().round.contributions[i].author != swarm.id(effect.who)) continue;
      act.entries[i].gain_nanos = effect.all * kMilli;
      if (swarm.run().guarded().empty()) continue;
      act.entries[i].domain_gains = {effect.english * kMilli, effect.swahili * kMilli};
    }
    return act;
  }
  static Verdict verdict(Swarm& swarm, const Effect3& effect) {
    const Score act = score(swarm, effect);
    for (const char* v : {"v1", "v2", "v3"}) EXPECT_EQ(swarm.give_score(v, act).reason, "");
    return derive(swarm.run()).verdicts.back();
  }
  // Of a new run's round 0.
  static Verdict verdict_of(const Effect3& effect, const std::string& declared) {
    Swarm fresh = swarm();
    contribute(fresh, declared);
    return verdict(fresh, effect);
  }
};

// What helps swahili much and costs the many a little.
const Effect3 kMinority{"sw", -4, -5, 20};

TEST_F(Domains, AMinorityIsGatedOutWithoutThemAndAcceptedWithThem) {
  Swarm without = swarm({});
  contribute(without, "");
  const Verdict out = verdict(without, kMinority);
  EXPECT_FALSE(out.accepted);
  EXPECT_EQ(out.reason, "gain -0.004");
  const Verdict in = verdict_of(kMinority, "swahili");
  EXPECT_TRUE(in.accepted);
  EXPECT_EQ(in.reason, "");
  EXPECT_EQ(in.gain_nanos, -4 * kMilli);
  EXPECT_EQ(in.counted_nanos, 16 * kMilli);
}

TEST_F(Domains, WhoHarmsOneIsRejectedHoweverGoodTheWhole) {
  for (const char* declared : {"", "english", "swahili"}) {
    const Verdict harm = verdict_of({"sw", 30, 40, -51}, declared);
    EXPECT_FALSE(harm.accepted);
    EXPECT_EQ(harm.reason, "domain swahili -0.051");
    EXPECT_EQ(harm.counted_nanos, 30 * kMilli);  // what it did to the whole
  }
  EXPECT_TRUE(verdict_of({"sw", 30, 40, -50}, "").accepted);  // as much as the guard lets pass
  EXPECT_EQ(verdict_of({"sw", -70, -80, 200}, "swahili").reason, "domain english -0.08");
}

TEST_F(Domains, ALossMustBeBoughtByTheDeclaredDomain) {
  EXPECT_EQ(verdict_of(kMinority, "").reason, "gain -0.004");         // none declared
  EXPECT_EQ(verdict_of(kMinority, "english").reason, "gain -0.004");  // another
  EXPECT_EQ(verdict_of({"sw", -4, -5, 4}, "swahili").reason, "gain -0.004");
  EXPECT_TRUE(verdict_of({"sw", -4, -5, 5}, "swahili").accepted);
  EXPECT_FALSE(verdict_of({"sw", 0, 0, 0}, "swahili").accepted);
  // Text of no domain is guarded as a part of everything.
  EXPECT_EQ(verdict_of({"sw", -51, 0, 90}, "swahili").reason, "gain -0.051");
}

TEST_F(Domains, MediansDecideSoThatOneLiarDoesNot) {
  Swarm run = swarm();
  contribute(run, "swahili");
  const Score honest = score(run, kMinority);
  const Score liar = score(run, {"sw", 900, -900, -900});
  run.give_score("v1", honest);
  run.give_score("v2", liar);
  run.give_score("v3", honest);
  const Verdict both = derive(run.run()).verdicts.back();
  EXPECT_TRUE(both.accepted);
  EXPECT_THAT(both.domain_gains, ::testing::ElementsAre(-5 * kMilli, 20 * kMilli));
}

TEST_F(Domains, AContributionDeclaresOneOfTheRuns) {
  Swarm run = swarm();
  Contribution act = run.contribution("sw");
  act.domain = "klingon";
  EXPECT_THAT(run.say("sw", write(act)).reason, HasSubstr("no domain klingon"));
}

TEST_F(Domains, AScoreSpeaksOfEachExactlyIfTheyAreGuarded) {
  Swarm run = swarm();
  contribute(run, "");
  Score without = run.score();
  without.entries[1].domain_gains.clear();
  EXPECT_THAT(run.give_score("v1", without).reason, HasSubstr("each of the 2 guarded domains"));
  Score one = run.score();
  one.entries[1].domain_gains = {1};
  EXPECT_THAT(run.give_score("v1", one).reason, HasSubstr("each of the 2 guarded domains"));
  Swarm off = swarm({"english", "swahili"}, recipe("0"));
  EXPECT_TRUE(off.run().guarded().empty());
  contribute(off, "swahili");
  Score more = off.score();
  more.entries[0].domain_gains = {1, 1};
  EXPECT_THAT(off.give_score("v1", more).reason, HasSubstr("each of the 0 guarded domains"));
  EXPECT_FALSE(verdict(off, kMinority).accepted);
}

// Standing is by the gain that decided: a minority owner does not collect losses.
TEST_F(Domains, WhoIsAcceptedForADomainKeepsItsStanding) {
  Swarm run = swarm();
  for (int round = 0; round < 10; ++round) {
    contribute(run, "swahili");
    (void)verdict(run, kMinority);
    ASSERT_EQ(run.give_close(run.close()).reason, "");
  }
  const Member& member = run.member("sw");
  EXPECT_EQ(member.accepted, 10);
  EXPECT_EQ(member.gains.back(), 16 * kMilli);
  EXPECT_EQ(run.run().history.back().contributions.back().domain, "swahili");
  const Result<Explanation> why = explain_peer(run.run(), run.id("sw"));
  ASSERT_TRUE(why.ok());
  EXPECT_THAT(to_text(*why),
              HasSubstr("a median gain of -0.004 nats (0.02 on its domain, swahili)"));
}

// However small the guard is against the noise of a domain's gain: the round's credit is lost, and
// nothing else. Standing is by what the gate says of the whole, and of the domain that is served.
TEST_F(Domains, WhatIsRefusedForADomainAloneCostsThatRoundAndNoMore) {
  Swarm run = swarm();
  for (int round = 0; round < 12; ++round) {
    contribute(run, "");
    (void)verdict(run, {"sw", 30, 40, -60});
    ASSERT_EQ(run.give_close(run.close()).reason, "");
    EXPECT_EQ(run.run().history.back().contributions.back().reason, "domain swahili -0.06");
  }
  const Member& member = run.member("sw");
  EXPECT_FALSE(member.excluded.has_value());
  EXPECT_EQ(member.rejected, 12);
  EXPECT_EQ(member.accepted, 0);
  EXPECT_EQ(member.rejected_streak, 0);
  EXPECT_EQ(member.credit, MicroCredit());
  EXPECT_EQ(member.gains.back(), 30 * kMilli);
}

// Work for its own domain that harms a third one: what it would have been accepted for counts.
TEST_F(Domains, TheCountedGainOfWhatADomainForbidsIsThatWithoutIt) {
  const Verdict served = verdict_of({"sw", -4, -51, 20}, "swahili");
  EXPECT_EQ(served.reason, "domain english -0.051");
  EXPECT_EQ(served.counted_nanos, 16 * kMilli);
}

// A refusal that the whole gave cause for is one, whatever a domain says of it besides.
TEST_F(Domains, WhoHarmsEverythingAgainAndAgainIsExcluded) {
  Swarm run = swarm();
  for (int round = 0; round < 6; ++round) {
    contribute(run, "");
    (void)verdict(run, {"sw", -10, 40, -60});
    ASSERT_EQ(run.give_close(run.close()).reason, "");
  }
  EXPECT_TRUE(run.member("sw").excluded.has_value());
}

}  // namespace
}  // namespace harambee::fold

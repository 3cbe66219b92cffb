#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/rng.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::blob;
using testing::digest_of;
using testing::Swarm;

// A log with something in every member of the state.
Swarm eventful() {
  Swarm swarm;
  swarm.join({"t1", "t2", "t3", "t4"});
  swarm.start();
  swarm.play_round({"t1", "t2", "t3"}, {{"t2", -1}});
  swarm.leave("t4");
  swarm.contribute("stranger");
  swarm.play_round({"t1", "t2", "t3"});
  swarm.contribute({"t1", "t2"});
  swarm.tick_after(8000);
  swarm.give_score("v1", swarm.score());
  Payload unknown;
  unknown.kind = "sing";
  swarm.say("ann", unknown);
  return swarm;
}

TEST(StateHash, EqualPrefixesGiveEqualStates) {
  const Swarm swarm = eventful();
  LogState replayed;
  for (const Bytes& entry : swarm.entries) {
    const Result<Outcome> outcome = apply_entry(replayed, entry);
    ASSERT_TRUE(outcome.ok());
    ASSERT_NE(outcome->effect, Effect::corrupt);
  }
  EXPECT_EQ(state_text(replayed), state_text(swarm.state));
  EXPECT_TRUE(parse_canonical(view(state_text(replayed))).ok());
  EXPECT_EQ(sha256(view(state_text(replayed))), state_hash(replayed));
  EXPECT_EQ(state_hash(replayed), state_hash(swarm.state));
}

// Stopping, copying and going on at any entry changes nothing; every entry changes the hash.
TEST(StateHash, DoesNotDependOnWhereAReplayPaused) {
  const Swarm swarm = eventful();
  LogState straight;
  std::set<Digest> seen;
  for (const Bytes& entry : swarm.entries) {
    LogState resumed = straight;
    ASSERT_TRUE(apply_entry(resumed, entry).ok());
    ASSERT_TRUE(apply_entry(straight, entry).ok());
    ASSERT_EQ(state_hash(resumed), state_hash(straight));
    ASSERT_TRUE(seen.insert(state_hash(straight)).second);
  }
}

// The same with an audit that has every member.
LogState audited() {
  LogState state = eventful().state;
  RunState& run = state.runs.begin()->second;
  AuditCase audit;
  audit.contribution = run.history[0].contributions[0].place;
  audit.author = run.history[0].contributions[0].author;
  audit.auditors = run.validators;
  audit.states = {blob("ef", kErrorFeedbackType)};
  audit.revealed = audit.contribution;
  audit.end = AuditEnd::accused;
  audit.answers.push_back({audit.contribution, run.validators[0], {}});
  run.audits.push_back(audit);
  run.open_audits = {0};
  run.liars[run.validators[0]] = {audit.contribution, "lied"};
  run.baselines = {{audit.contribution, {run.id, "alone", BaselineOver::tokens, {{1, 1}}}}};
  return state;
}

// A member of state.h that is not in the serialisation would let two states that differ look
// alike: every one is changed here once.
TEST(StateHash, SeesEveryMember) {
  const LogState base = audited();
  const RecordId id = base.runs.begin()->first;
  using Change = std::function<void(LogState&, RunState&)>;
  const auto round = [](auto change) {
    return Change([change](LogState&, RunState& run) { change(run.round); });
  };
  const auto closed = [](auto change) {
    return Change([change](LogState&, RunState& run) { change(run.history[0]); });
  };
  const auto audit = [](auto change) {
    return Change([change](LogState&, RunState& run) { change(run.audits[0]); });
  };
  const auto member = [](auto change) {
    return Change([change](LogState&, RunState& run) { change(run.members[0]); });
  };
  const auto taken = [](auto change) {
    return Change([change](LogState&, RunState& run) { change(run.round.contributions[0]); });
  };
  const Digest d = digest_of("other");
  const Place place{99, d};
  const std::vector<Change> changes = {
      [](LogState& s, RunState&) { s.frontier.append(digest_of("x")); },
      [](LogState& s, RunState&) { s.origin += "x"; },
      [](LogState& s, RunState&) { s.name += "x"; },
      [](LogState& s, RunState&) { s.vkey += "x"; },
      [&](LogState& s, RunState&) { s.hub = d; },
      [](LogState& s, RunState&) { ++s.tick_ms; },
      [](LogState& s, RunState&) { ++*s.last_tick_ms; },
      [&](LogState& s, RunState&) { s.authors.begin()->second.last = d; },
      [](LogState& s, RunState&) { ++s.authors.begin()->second.next_seq; },
      [](LogState& s, RunState&) { ++s.authors.begin()->second.key.bytes[0]; },
      [&](LogState& s, RunState&) { s.names.emplace("x", d); },
      [](LogState& s, RunState&) { s.refusals.clear(); },
      [](LogState& s, RunState&) { s.refusals[0].reason += "x"; },
      [](LogState& s, RunState&) { ++s.refusals_count; },
      [&](LogState&, RunState& r) { r.id = d; },
      [&](LogState&, RunState& r) { r.opened = place; },
      [](LogState&, RunState& r) { r.name += "x"; },
      [&](LogState&, RunState& r) { r.maintainer = d; },
      [&](LogState&, RunState& r) { r.coordinator = d; },
      [](LogState&, RunState& r) { r.validators.pop_back(); },
      [](LogState&, RunState& r) { ++r.recipe.rounds; },
      [](LogState&, RunState& r) { ++r.data.size; },
      [](LogState&, RunState& r) { r.phase = Phase::closing; },
      [](LogState&, RunState& r) { ++r.start->tokens; },
      [](LogState&, RunState& r) { ++r.start->loss_first_nanos; },
      [](LogState&, RunState& r) { ++r.start->loss_last_nanos; },
      [](LogState&, RunState& r) { ++r.start->checkpoint.size; },
      [&](LogState&, RunState& r) { r.start_place = place; },
      [&](LogState&, RunState& r) { r.weights = d; },
      [&](LogState&, RunState& r) { r.residual = d; },
      [](LogState&, RunState& r) { r.residual.reset(); },
      [](LogState&, RunState& r) { r.checkpoint.reset(); },
      [](LogState&, RunState& r) { ++r.checkpoint_round; },
      [](LogState&, RunState& r) { r.best_loss_nanos = 1; },
      [&](LogState&, RunState& r) { r.missed.push_back(d); },
      [&](LogState&, RunState& r) {
        Member more;
        more.key = d;
        r.members.add(more);
      },
      [](LogState&, RunState& r) { r.credits.begin()->second += MicroCredit(1); },
      [](LogState&, RunState& r) { r.distributed += MicroCredit(1); },
      [](LogState&, RunState& r) { r.refusals.clear(); },
      [](LogState&, RunState& r) { ++r.refusals_count; },
      round([](RoundState& r) { ++r.number; }),
      round([](RoundState& r) { ++r.opened_index; }),
      round([](RoundState& r) { ++r.opened_ms; }),
      round([](RoundState& r) { ++r.phase_index; }),
      round([](RoundState& r) { ++r.phase_ms; }),
      round([](RoundState& r) { ++r.waiting_for; }),
      round([&](RoundState& r) { r.cohort.push_back(d); }),
      round([&](RoundState& r) { r.committee.push_back(d); }),
      round([](RoundState& r) { r.score_seed.reset(); }),
      round([](RoundState& r) { r.contributions.pop_back(); }),
      round([](RoundState& r) { r.scores.pop_back(); }),
      round([&](RoundState& r) { r.scores[0].place = place; }),
      round([&](RoundState& r) { r.scores[0].validator = d; }),
      round([&](RoundState& r) { r.scores[0].act.seed = d; }),
      round([&](RoundState& r) { r.scores[0].act.base = d; }),
      round([](RoundState& r) { ++*r.scores[0].act.loss_nanos; }),
      round([](RoundState& r) { ++r.scores[0].act.entries[0].gain_nanos; }),
      round([](RoundState& r) { r.scores[0].act.entries[0].squared_norm += "1"; }),
      round([](RoundState& r) { ++r.scores[0].act.entries[0].norm_exponent; }),
      round([](RoundState& r) { r.scores[0].act.entries[0].verdict = "withheld"; }),
      round([](RoundState& r) { ++r.scores[0].act.entries[0].group; }),
      round([](RoundState& r) { r.scores[0].act.entries[0].domain_gains = {1}; }),
      round([](RoundState& r) { r.scores[0].act.entries[0].own_nanos = 1; }),
      round([](RoundState& r) { r.contributions[0].act.domain = "d"; }),
      taken([&](Committed& c) { c.place = place; }),
      taken([&](Committed& c) { c.author = d; }),
      taken([&](Committed& c) { c.act.base = d; }),
      taken([](Committed& c) { c.act.numeric_class += "x"; }),
      taken([](Committed& c) { c.act.error_feedback.before.reset(); }),
      taken([&](Committed& c) { c.act.error_feedback.after = d; }),
      taken([&](Committed& c) { c.act.optimizer.after = d; }),
      taken([](Committed& c) { ++c.act.loss_first_nanos; }),
      taken([](Committed& c) { ++c.act.loss_last_nanos; }),
      taken([](Committed& c) { ++c.act.steps; }),
      taken([](Committed& c) { ++c.act.tokens; }),
      taken([](Committed& c) { ++c.act.delta.size; }),
      taken([](Committed& c) { ++c.act.round; }),
      member([&](Member& m) { m.key = d; }),
      member([](Member& m) { m.ordinal += 100; }),
      member([](Member& m) { m.numeric_class += "x"; }),
      member([](Member& m) { m.trainer += "x"; }),
      member([&](Member& m) { m.joined = place; }),
      member([&](Member& m) {
        m.left = Place{98, d};
      }),
      member([](Member& m) { m.excluded = "x"; }),
      member([&](Member& m) {
        m.excluded = "x";
        m.excluded_by = place;
      }),
      member([](Member& m) { m.missed = !m.missed; }),
      member([](Member& m) { ++m.missed_rounds; }),
      member([](Member& m) { ++m.accepted; }),
      member([](Member& m) { ++m.rejected; }),
      member([](Member& m) { ++m.rejected_streak; }),
      member([](Member& m) { m.gains.push_back(1); }),
      member([&](Member& m) { m.error_feedback = d; }),
      member([&](Member& m) { m.optimizer = d; }),
      member([&](Member& m) { m.last_contribution = place; }),
      member([](Member& m) { ++m.tokens; }),
      member([](Member& m) { m.credit += MicroCredit(1); }),
      closed([](ClosedRound& r) { ++r.number; }),
      closed([](ClosedRound& r) { ++r.opened_index; }),
      closed([](ClosedRound& r) { ++r.opened_ms; }),
      closed([&](ClosedRound& r) { r.close = place; }),
      closed([](ClosedRound& r) { ++r.closed_ms; }),
      closed([&](ClosedRound& r) { r.base = d; }),
      closed([&](ClosedRound& r) { r.score_seed = d; }),
      closed([&](ClosedRound& r) { r.missed.push_back(d); }),
      closed([](ClosedRound& r) { ++*r.loss_nanos; }),
      closed([](ClosedRound& r) { r.mostly_rejected = true; }),
      closed([](ClosedRound& r) { r.voided = true; }),
      closed([](ClosedRound& r) { r.update.reset(); }),
      closed([&](ClosedRound& r) { r.checkpoint = blob("x", kWeightsType); }),
      closed([&](ClosedRound& r) { r.weights = d; }),
      closed([&](ClosedRound& r) { r.residual = d; }),
      closed([](ClosedRound& r) { r.coordinator_credit += MicroCredit(1); }),
      closed([&](ClosedRound& r) { r.contributions[0].place = place; }),
      closed([&](ClosedRound& r) { r.contributions[0].author = d; }),
      closed([](ClosedRound& r) { ++r.contributions[0].delta.size; }),
      closed([](ClosedRound& r) { r.contributions[0].accepted = false; }),
      closed([](ClosedRound& r) { r.contributions[0].reason = "x"; }),
      closed([](ClosedRound& r) { r.contributions[0].gain_nanos.reset(); }),
      closed([](ClosedRound& r) { ++r.contributions[0].loss_first_nanos; }),
      closed([](ClosedRound& r) { ++r.contributions[0].loss_last_nanos; }),
      closed([](ClosedRound& r) { ++r.contributions[0].tokens; }),
      closed([](ClosedRound& r) { r.contributions[0].credit += MicroCredit(1); }),
      closed([](ClosedRound& r) { ++r.contributions[0].group; }),
      closed([](ClosedRound& r) { --r.contributions[0].standing; }),
      closed([](ClosedRound& r) { r.contributions[0].numeric_class += "x"; }),
      closed([](ClosedRound& r) { ++r.contributions[0].links; }),
      closed([&](ClosedRound& r) { r.contributions[0].error_feedback.after = d; }),
      closed([&](ClosedRound& r) { r.contributions[0].optimizer.after = d; }),
      closed([](ClosedRound& r) { r.contributions[0].forfeited += MicroCredit(1); }),
      taken([](Committed& c) { ++c.links; }),
      member([](Member& m) { ++m.links; }),
      member([](Member& m) { m.slashed = true; }),
      member([](Member& m) { m.suspended = "x"; }),
      member([&](Member& m) {
        m.suspended = "x";
        m.suspended_by = place;
      }),
      [](LogState&, RunState& r) { r.forfeited += MicroCredit(1); },
      [](LogState&, RunState& r) { r.audits.clear(); },
      [](LogState&, RunState& r) { r.open_audits.clear(); },
      [](LogState&, RunState& r) { ++r.audits_drawn; },
      [](LogState&, RunState& r) { r.liars.clear(); },
      [](LogState&, RunState& r) { r.baselines.clear(); },
      [](LogState&, RunState& r) { ++r.baselines[0].act.points[0].loss_nanos; },
      [](LogState&, RunState& r) { r.baselines[0].act.label += "x"; },
      [](LogState&, RunState& r) { r.baselines[0].act.over = BaselineOver::rounds; },
      [&](LogState&, RunState& r) { r.baselines[0].place = place; },
      [](LogState&, RunState& r) { r.liars.begin()->second.reason += "x"; },
      [&](LogState&, RunState& r) { r.liars.begin()->second.by = place; },
      audit([&](AuditCase& a) { a.contribution = place; }),
      audit([&](AuditCase& a) { a.author = d; }),
      audit([](AuditCase& a) { ++a.round; }),
      audit([&](AuditCase& a) { a.opened = place; }),
      audit([&](AuditCase& a) { a.disputed_by = d; }),
      audit([](AuditCase& a) { a.redone = true; }),
      audit([](AuditCase& a) { a.auditors.pop_back(); }),
      audit([](AuditCase& a) { a.everybody = true; }),
      audit([](AuditCase& a) { a.phase = AuditPhase::ended; }),
      audit([](AuditCase& a) { ++a.phase_index; }),
      audit([](AuditCase& a) { ++a.phase_ms; }),
      audit([](AuditCase& a) { a.states.clear(); }),
      audit([&](AuditCase& a) { a.revealed = place; }),
      audit([](AuditCase& a) { a.answers.clear(); }),
      audit([&](AuditCase& a) { a.answers[0].auditor = d; }),
      audit([&](AuditCase& a) { a.answers[0].place = place; }),
      audit([](AuditCase& a) { a.answers[0].act.result = AuditResult::near; }),
      audit([](AuditCase& a) { a.answers[0].act.cosine = Decimal{1}; }),
      audit([](AuditCase& a) { a.answers[0].act.made = Replica{}; }),
      audit([](AuditCase& a) { a.end = AuditEnd::cleared; }),
      audit([&](AuditCase& a) { a.ended = place; }),
      audit([](AuditCase& a) { a.reason = "x"; }),
      closed([&](ClosedRound& r) { r.scores[0].place = place; }),
      closed([&](ClosedRound& r) { r.scores[0].validator = d; }),
      closed([](ClosedRound& r) { ++*r.scores[0].loss_nanos; }),
      closed([](ClosedRound& r) { r.scores[0].credit += MicroCredit(1); }),
  };
  std::set<Digest> seen = {state_hash(base)};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    LogState changed = base;
    changes[i](changed, changed.runs.at(id));
    EXPECT_TRUE(seen.insert(state_hash(changed)).second) << "change " << i;
  }
}

}  // namespace
}  // namespace harambee::fold

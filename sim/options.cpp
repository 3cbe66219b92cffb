#include "sim/options.h"

#include <algorithm>

#include "sim/random.h"

namespace harambee::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kFaultNames{
    "delay",       "loss",      "duplicate", "partition", "sleep",   "slow",      "crash",
    "coordinator", "hub-crash", "torn",      "bit-flip",  "backup",  "two-faced", "censor",
    "clock",       "mixed",     "liars",     "attackers", "overstep"};
constexpr std::array<std::string_view, kConducts> kConductNames{
    "honest",    "sign-flip", "scaled", "noise",       "collude", "stale",    "copy",    "withhold",
    "malformed", "sybil",     "lazy",   "lazy-hidden", "fixture", "partisan", "stranger"};

constexpr std::int64_t kOuterRate = 2'000'000'000;

// A model of about a thousand parameters. What is learned in it is the simulator's own small task
// (sim/task.h); its files, digests and deltas are real.
fold::Recipe recipe_of(Stream& draw, std::uint32_t rounds, bool large) {
  fold::Recipe recipe = fold::default_recipe();
  recipe.model.context = 8;
  recipe.model.ffn = 8;
  recipe.model.heads = 2;
  recipe.model.hidden = 8;
  recipe.model.kv_heads = 1;
  recipe.model.layers = 1;
  recipe.model.vocab = 32;
  recipe.rounds = rounds;
  recipe.checkpoint_every = draw.between(2, 9);
  recipe.codec.keep = draw.between(48, 96) * 4;
  recipe.down.keep = 1024;
  recipe.min_contributions = draw.between(1, 3);
  recipe.commit_ms = large ? 8000 : 1000 * draw.between(4, 12);
  recipe.reveal_ms = 1000 * draw.between(2, 6);
  recipe.score_ms = 1000 * draw.between(6, 15);
  recipe.shards_per_member = draw.between(1, 6);
  recipe.inner.steps = 5;
  recipe.inner.batch = 4;
  recipe.gate.rows = 64;
  recipe.gate.report = 256;  // fewer say too little of whether anything is learned
  // A row's step is 0.48 of the way to its target (sim/task.cpp): with twice that, not even a round
  // of one contribution oversteps.
  recipe.outer_lr = {kOuterRate};
  recipe.judge = fold::JudgeRule();
  recipe.judge.aggregate = fold::AggregateRule::clip;
  recipe.judge.centered_iterations = 1;
  recipe.judge.norm_max = {draw.chance(1, 2) ? 10'000'000'000 : 0};
  recipe.judge.similar = recipe.judge.sample = {1'000'000'000};
  recipe.credit.round = fold::MicroCredit(draw.between(1, 3'000'000));
  recipe.seed = Stream::of(draw.next(), "first weights");
  return recipe;
}

// The judge's layers: each seed switches about half of them on.
void draw_judge(Plan& plan, const Config& config) {
  Stream draw(config.seed, "judge");
  fold::JudgeRule& judge = plan.recipe.judge;
  if (draw.chance(1, 2)) {
    judge.aggregate = fold::AggregateRule::centered;
    judge.centered_iterations = draw.between(1, 3);
  }
  if (draw.chance(1, 2)) judge.similar = {draw.between(3, 9) * 100'000'000};
  if (draw.chance(1, 2)) {
    judge.newcomer_rounds = draw.between(1, 4);
    judge.newcomer_share = {draw.between(1, 50) * 10'000'000};
  }
  if (draw.chance(1, 2)) {
    judge.auditors = draw.between(1, 3);
    judge.audit = {draw.between(1, 10) * 50'000'000};
    judge.audit_newcomer = {draw.between(1, 10) * 100'000'000};
  }
  if (draw.chance(1, 2)) judge.committee = draw.between(3, 5);
  if (draw.chance(1, 2)) {
    const auto most = static_cast<std::int64_t>(std::min(config.peers, 128U));
    judge.cohort =
        draw.between(std::max<std::int64_t>(most / 3, 4), std::max<std::int64_t>(most, 4));
  }
}

// The rules for runs that look at distances alone; they hold as well where work is tried on text.
void draw_rules(Plan& plan, const Config& config) {
  Stream draw(config.seed, "rules");
  fold::JudgeRule& judge = plan.recipe.judge;
  const bool changes = draw.chance(1, 3), mixes = draw.chance(1, 2);
  const Decimal faulty{draw.between(0, 9) * 50'000'000};
  if (!changes) return;
  judge.aggregate = mixes ? fold::AggregateRule::neighbours : fold::AggregateRule::krum;
  judge.faulty = faulty;
}

// What keeps one step from doing harm for ever. A maintainer who oversteps needs a way back.
void draw_bounds(Plan& plan, const Config& config) {
  Stream draw(config.seed, "bounds");
  const bool overstep = draw.chance(1, 4) && config.faults.has(Fault::overstep);
  plan.faults.set(Fault::overstep, overstep);
  fold::JudgeRule& judge = plan.recipe.judge;
  if (draw.chance(1, 2)) judge.step_max = {draw.between(11, 40) * 100'000'000};
  const bool voids = draw.chance(1, 2);
  const Decimal rise{draw.between(1, 20) * 50'000'000};
  if (voids || overstep) judge.void_rise = rise;
  const Decimal rate{draw.between(5, 60) * 1'000'000'000};
  if (overstep) plan.recipe.outer_lr = rate;
  plan.sly = plan.liars > 0 && draw.chance(1, 2);
}

// Named parts of the held-out rows, and what is compared with an author's own rows. Some of the
// attackers turn to those who try just these rules.
void draw_texts(Plan& plan, const Config& config) {
  Stream draw(config.seed, "texts");
  fold::JudgeRule& judge = plan.recipe.judge;
  const bool guarded = draw.chance(1, 2);
  // Honest gains on a domain are measured to 0.03 nats here: small guards take luck for harm, which
  // must exclude nobody.
  const std::int64_t guard = draw.chance(1, 8) ? 0 : draw.between(1, 25) * 10'000'000;
  const bool three = draw.chance(1, 2);
  const bool own = draw.chance(1, 2);
  const std::int64_t window = draw.between(8, 10);
  if (guarded) {
    judge.guard = {guard};
    plan.domains = {"east", "north"};
    if (three) plan.domains.emplace_back("west");
  }
  if (own) judge.own_rounds = window;
  for (Conduct& conduct : plan.attackers) {
    const bool turns = draw.chance(1, 2);
    if (turns && own && draw.chance(1, 2)) conduct = Conduct::stranger;
    if (turns && guarded && conduct != Conduct::stranger) conduct = Conduct::partisan;
  }
}

// A model of 300 chunks, of which 256 are looked at. Few work on it, or it would take long.
void draw_wide(Plan& plan, const Config& config) {
  Stream draw(config.seed, "wide");
  const bool wide = draw.chance(1, 24);
  const std::int64_t places = draw.between(4, 6);
  const Decimal sample{draw.between(1, 80) * 10'000'000};
  const std::int64_t alike = draw.between(3, 9);
  if (!wide || config.peers > 64) return;
  fold::Recipe& recipe = plan.recipe;
  recipe.model.hidden = 72;
  recipe.model.vocab = 8400;
  recipe.codec.keep = 8;
  recipe.judge.cohort = places;
  recipe.judge.sample = sample;
  recipe.judge.similar = {alike * 100'000'000};
  recipe.judge.auditors = 0;
  // Whose searches take every parameter into account.
  for (Conduct& conduct : plan.attackers) {
    if (conduct == Conduct::fixture) conduct = Conduct::sign_flip;
  }
}

// Who brings whose work before all auditors: where audits are drawn, and where none are.
void draw_disputes(Plan& plan, const Config& config) {
  Stream draw(config.seed, "disputes");
  const bool watched = draw.chance(1, 2), slandered = draw.chance(1, 3);
  const bool some = plan.recipe.judge.auditors > 0 || draw.chance(1, 4);
  const bool wide = plan.recipe.judge.sample.nanos < 1'000'000'000;
  if (plan.attackers.empty() || !some || wide) return;
  plan.watched = watched;
  plan.slandered = slandered;
}

// Members whose training nobody can repeat to the bit. With few inner steps they are not audited.
void draw_classes(Plan& plan, const Config& config) {
  Stream draw(config.seed, "classes");
  const bool inexact = draw.chance(1, 3), many_steps = draw.chance(3, 4);
  if (!inexact || plan.recipe.judge.auditors == 0) return;
  plan.inexact = true;
  if (many_steps) plan.recipe.inner.steps = 10;
}

// No text to try work on: what is well-formed is accepted, and the rule that adds it up is all that
// stands between the attackers and the weights.
void draw_textless(Plan& plan, const Config& config) {
  Stream draw(config.seed, "textless");
  const bool textless = draw.chance(1, 6), reports = draw.chance(1, 2), alone = draw.chance(1, 2);
  const bool judges = draw.chance(1, 2);
  const std::int64_t rule = draw.between(0, 2);
  const Decimal faulty{draw.between(6, 9) * 50'000'000};
  if (!textless) return;
  constexpr std::array kRules{fold::AggregateRule::centered, fold::AggregateRule::neighbours,
                              fold::AggregateRule::krum};
  fold::Recipe& recipe = plan.recipe;
  recipe.gate.rows = 0;
  recipe.judge.aggregate = kRules[static_cast<std::size_t>(rule)];
  recipe.judge.faulty = faulty;
  recipe.judge.guard = {};
  recipe.judge.own_rounds = 0;
  plan.domains.clear();
  if (reports) return;
  recipe.gate.report = 0;
  recipe.judge.void_rise = {};
  recipe.outer_lr = {kOuterRate};
  plan.faults.set(Fault::overstep, false);
  plan.coordinator_judges = judges || alone;
  if (!alone) return;
  plan.validators = plan.liars = 0;
  recipe.judge.committee = 0;
}

void draw_network(Plan& plan, Stream& draw) {
  const Faults& on = plan.faults;
  plan.latency_ms_max = draw.between(20, 300);
  plan.jitter_ms = draw.between(1, 60);
  if (on.has(Fault::delay)) {
    plan.delayed = static_cast<std::uint64_t>(draw.between(10, 600));
    plan.delay_ms_max = draw.between(500, 8000);
  }
  if (on.has(Fault::loss)) plan.lost = static_cast<std::uint64_t>(draw.between(10, 1500));
  if (on.has(Fault::duplicate)) plan.doubled = static_cast<std::uint64_t>(draw.between(10, 2000));
  if (on.has(Fault::bit_flip)) plan.flipped = static_cast<std::uint64_t>(draw.between(50, 1500));
  if (on.has(Fault::crash)) plan.crashes = static_cast<std::uint64_t>(draw.between(5, 200));
}

void draw_people(Plan& plan, Stream& draw, std::uint32_t peers) {
  plan.validators = static_cast<std::uint32_t>(2 * draw.between(0, 2) + 1);
  if (plan.faults.has(Fault::liars)) {
    plan.validators = std::max(plan.validators, 3U);
    // A round is decided by more than half of them, and the lower median of an even number is on
    // the careful side: so many may lie.
    plan.liars = (plan.validators / 2 + 1) / 2;
  }
  plan.attack = draw.next();
  if (!plan.faults.has(Fault::attackers) || peers < 4) return;
  // Fewer than a quarter: what the rules promise to withstand.
  const auto most = static_cast<std::int64_t>(std::min((peers - 1) / 4, 256U));
  const std::int64_t count = draw.between(1, std::max<std::int64_t>(1, most));
  const auto first = static_cast<Conduct>(draw.between(1, kConductsDrawn - 1));
  for (std::int64_t i = 0; i < count; ++i) {
    const bool same = draw.chance(1, 2);
    plan.attackers.push_back(same ? first
                                  : static_cast<Conduct>(draw.between(1, kConductsDrawn - 1)));
  }
}

}  // namespace

std::string_view name(Fault fault) { return kFaultNames[static_cast<std::size_t>(fault)]; }
std::string_view name(Conduct conduct) { return kConductNames[static_cast<std::size_t>(conduct)]; }

Faults Faults::all() {
  Faults faults;
  faults.on_.fill(true);
  return faults;
}

Result<Faults> Faults::parse(std::string_view text) {
  if (text == "all") return all();
  Faults faults;
  if (text == "none") return faults;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const auto found = std::ranges::find(kFaultNames, word);
    if (found == kFaultNames.end()) {
      std::string known;
      for (const std::string_view each : kFaultNames) known += ", " + std::string(each);
      return invalid("no fault is called \"" + std::string(word) + "\"; there are all, none" +
                     known);
    }
    faults.on_[static_cast<std::size_t>(found - kFaultNames.begin())] = true;
    at = end + 1;
  }
  return faults;
}

std::string Faults::str() const {
  std::string out;
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (on_[i]) out += (out.empty() ? "" : ",") + std::string(kFaultNames[i]);
  }
  return out.empty() ? "none" : out;
}

Plan draw_plan(const Config& config) {
  Stream draw(config.seed, "plan");
  Plan plan;
  const bool large = config.peers > 1000;
  plan.recipe = recipe_of(draw, config.rounds, large);
  // Each fault that is allowed is used by half of the seeds.
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (static_cast<Fault>(i) == Fault::overstep) continue;  // draw_bounds
    const bool wanted = draw.chance(1, 2);
    plan.faults.set(static_cast<Fault>(i), wanted && config.faults.has(static_cast<Fault>(i)));
  }
  draw_people(plan, draw, config.peers);
  draw_judge(plan, config);
  draw_rules(plan, config);
  draw_bounds(plan, config);
  draw_texts(plan, config);
  draw_textless(plan, config);
  draw_wide(plan, config);
  draw_disputes(plan, config);
  draw_classes(plan, config);
  draw_network(plan, draw);
  plan.tick_ms = large ? 1000 : draw.between(2, 12) * 100;
  plan.batch_ms = large ? 2000 : draw.between(1, 15) * 20;
  // A crowd comes no faster than the hub can log it, or nobody else would get a word in.
  plan.join_ms = large ? std::max<std::int64_t>(30'000, 5 * config.peers) : draw.between(0, 8000);
  plan.trouble_ms = draw.between(2, 15) * 1000;
  const fold::Recipe& recipe = plan.recipe;
  const std::int64_t round_ms = recipe.commit_ms + recipe.reveal_ms + recipe.score_ms;
  plan.safety_ms = round_ms * draw.between(2, std::max<std::int64_t>(2, config.rounds));
  if (large) plan.safety_ms += plan.join_ms;
  // Long polls, retries and sleepers' last messages need some time on top.
  plan.liveness_ms = 3 * round_ms + 60'000;
  return plan;
}

}  // namespace harambee::sim

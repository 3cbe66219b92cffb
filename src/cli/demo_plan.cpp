#include "cli/demo_plan.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace harambee::cli {
namespace {

Decimal decimal(std::string_view text) { return Decimal::parse(text).value(); }

std::int64_t honest(const std::vector<Part>& parts) {
  return std::count_if(parts.begin(), parts.end(), [](const Part& p) { return p.honest(); });
}

// Peers' supports are nearly disjoint and the mean divides by all of them, so the best outer rate
// grows with their number. For three, which is what four volunteers with a cheat among them are,
// 2.5 to 3.5 end equally low when the third joins late, and 3.5 is unsteady while there are two
// (docs/measurements-demo.md).
Decimal outer_lr(std::int64_t peers) {
  if (peers <= 1) return decimal("1.5");
  if (peers == 2) return decimal("2");
  if (peers <= 5) return decimal("3");
  return decimal("4");
}

// The recipe but for its number of rounds. Chosen such that a volunteer sends less than a
// thousandth of what data-parallel training would, records, headers and polls included.
fold::Recipe demo_recipe(const DemoRequest& request, const std::vector<Part>& parts,
                         const Speed& speed) {
  fold::Recipe recipe = fold::default_recipe();
  recipe.seed = request.seed;
  recipe.inner.steps = 10;
  recipe.inner.batch = 4;
  recipe.inner.warmup = 10;
  recipe.codec.keep = 56;
  recipe.down.keep = 256;
  recipe.outer_lr = outer_lr(honest(parts));
  recipe.gate.rows = 16;
  recipe.gate.report = 48;
  recipe.checkpoint_every = 10;
  // Its one validator could only suspend, and states that are revealed are many bytes: the demo
  // trains contributions again at its end, by `verify`.
  recipe.judge.auditors = 0;
  // All of the text is trained on: each member has its share of the shards.
  recipe.shards_per_member = std::max<std::int64_t>(1, kDemoShards / std::ssize(parts));
  recipe.min_contributions = std::min<std::int64_t>(2, honest(parts));
  // Waiting for one who was killed must be possible, and must not take for ever.
  const double tokens =
      static_cast<double>(recipe.inner.steps * recipe.inner.batch * recipe.model.context);
  const double busy = static_cast<double>(parts.size()) / speed.cores;
  const double train_ms = 1000 * tokens * std::max(1.0, busy) / speed.tokens_per_second;
  recipe.commit_ms =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(4 * train_ms), 4'000, 600'000);
  recipe.reveal_ms = std::max<std::int64_t>(5'000, recipe.commit_ms / 2);
  recipe.score_ms = std::max<std::int64_t>(15'000, recipe.commit_ms);
  return recipe;
}

Script make_script(std::int64_t rounds) {
  Script script;
  script.late_round = static_cast<unsigned>(std::max<std::int64_t>(2, rounds / 4));
  script.kill_round = static_cast<unsigned>(std::max<std::int64_t>(3, rounds * 2 / 5));
  return script;
}

}  // namespace

std::vector<Part> cast(unsigned volunteers) {
  HARAMBEE_CHECK(volunteers > 0);
  std::vector<Part> parts(volunteers);
  for (unsigned i = 0; i < volunteers; ++i) parts[i].name = fmt::format("volunteer-{}", i + 1);
  if (volunteers >= 2) parts[1].is_killed = true;
  if (volunteers >= 3) parts[2].joins_late = true;
  if (volunteers >= 4) parts.back().cheats = true;
  return parts;
}

Schedule estimate(const fold::Recipe& recipe, const std::vector<Part>& parts, const Speed& speed,
                  unsigned retrain) {
  const double context = static_cast<double>(recipe.model.context);
  const double one = speed.tokens_per_second;
  const double cores = speed.cores;
  const double step_tokens = static_cast<double>(recipe.inner.batch) * context;
  const double round_tokens = step_tokens * static_cast<double>(recipe.inner.steps);
  const double peers = static_cast<double>(parts.size());
  const double rounds = static_cast<double>(recipe.rounds);
  Schedule schedule;
  schedule.warm = 3 + static_cast<double>(recipe.warm.steps * recipe.warm.batch) * context /
                          (one * cores * 0.9);
  // A forward pass is a third of a training step. The validator has all cores while the
  // volunteers wait. 0.7 s: ticks, polls, packing, the outer step.
  const double scored = (static_cast<double>(recipe.gate.rows) * (peers + 1) +
                         static_cast<double>(recipe.gate.report)) *
                        context / 3;
  schedule.round =
      round_tokens * peers / (one * std::min(cores, peers)) + scored / (one * cores * 0.9) + 0.7;
  // Both at the same time, each on half of the cores.
  const double tokens = round_tokens * static_cast<double>(honest(parts)) * rounds;
  schedule.baselines = tokens / (one * std::max(1.0, std::floor(cores / 2)) * 0.9);
  // A retrained contribution begins at its author's first round, since the optimizer's state is
  // carried: on the average half of the rounds.
  schedule.ending = 8 + 0.2 * rounds + retrain * round_tokens * rounds / 2 / (one * cores * 0.9);
  return schedule;
}

Result<DemoPlan> make_plan(const DemoRequest& request, const Speed& speed) {
  HARAMBEE_CHECK(speed.cores > 0 && speed.tokens_per_second > 0);
  if (request.volunteers < 1 || request.volunteers > kDemoVolunteersMax) {
    return invalid(fmt::format("--volunteers {} is not between 1 and {}", request.volunteers,
                               kDemoVolunteersMax));
  }
  if (request.rounds && (*request.rounds < kDemoRoundsMin || *request.rounds > kDemoRoundsMax)) {
    return invalid(
        fmt::format("--rounds {} is not between {} and {} (catching the cheat takes at "
                    "least {})",
                    *request.rounds, kDemoRoundsMin, kDemoRoundsMax, kDemoRoundsMin));
  }
  DemoPlan plan;
  plan.parts = cast(request.volunteers);
  plan.recipe = demo_recipe(request, plan.parts, speed);
  plan.retrain = 2;
  // A shorter demo has a shorter warm start: a sixth of the time at most.
  plan.recipe.rounds = request.rounds.value_or(kDemoRoundsByTimeMax);
  while (plan.recipe.warm.steps > kDemoWarmStepsMin &&
         estimate(plan.recipe, plan.parts, speed, plan.retrain).warm > request.seconds / 6.0) {
    plan.recipe.warm.steps -= 10;
  }
  const auto total = [&](std::int64_t rounds) {
    plan.recipe.rounds = rounds;
    return estimate(plan.recipe, plan.parts, speed, plan.retrain)
        .total(static_cast<unsigned>(rounds));
  };
  std::int64_t rounds = request.rounds.value_or(kDemoRoundsByTimeMax);
  if (!request.rounds) {
    while (rounds > kDemoRoundsByTimeMin && total(rounds) > request.seconds) --rounds;
  }
  plan.recipe.rounds = rounds;
  plan.schedule = estimate(plan.recipe, plan.parts, speed, plan.retrain);
  plan.script = make_script(rounds);
  return plan;
}

std::uint64_t data_parallel_bytes(std::uint64_t parameters, std::uint64_t steps) {
  return 2 * parameters * steps;
}

}  // namespace harambee::cli

#include "role/validator.h"

namespace harambee::role {

using namespace validator;

Score score_of_open_round(const fold::RunState& run) {
  Score action;
  action.round = run.round.number;
  action.base = run.weights;
  action.seed = *run.round.score_seed;
  for (const fold::Committed& committed : run.round.contributions) {
    action.contributions.push_back(
        {committed.place.id, committed.author, committed.act.delta, committed.act.domain});
  }
  action.reveal_deadline_ms = run.round.phase_ms + run.recipe.reveal_ms;
  action.score_deadline_ms = *run.deadline_ms();
  return action;
}

Action decide_validator(const fold::LogState& log, const fold::RunState& run, const KeyId& me,
                        const ValidatorFacts& facts) {
  if (!run.is_validator(me)) return Stranger{};
  if (run.phase == fold::Phase::finished) return Done{};
  if (!log.author(me)) {
    if (facts.identify_sent) return Wait{"identity sent"};
    return Identify{};
  }
  const bool mine_is_due = run.phase == fold::Phase::score && !run.score_of(me) &&
                           run.may_score(me, log.now_ms()) && !run.coordinator_scores(me) &&
                           facts.attempted_round != run.round.number;
  if (mine_is_due) return score_of_open_round(run);
  if (tick_is_wanted(log, run, facts.clock)) return AskTick{};
  if (run.phase == fold::Phase::score && !run.may_score(me, log.now_ms())) {
    return Wait{"other validators were drawn to score this round"};
  }
  return Wait{std::string("in phase ") + fold::name(run.phase)};
}

}  // namespace harambee::role

#include "role/coordinator.h"

#include "fold/judge.h"
#include "fold/void_fold.h"
#include "fold/votes.h"

namespace harambee::role {

namespace {

using namespace coordinator;

Action close(const fold::RunState& run) {
  Close action;
  action.round = run.round.number;
  action.base = run.weights;
  action.residual = run.residual;
  const fold::Judgement judgement = fold::derive(run);
  std::vector<std::size_t> accepted;
  std::vector<std::size_t> named;
  for (std::size_t i = 0; i < judgement.verdicts.size(); ++i) {
    const fold::Verdict& verdict = judgement.verdicts[i];
    if (!verdict.accepted) continue;
    const fold::Committed& committed = run.round.contributions[i];
    action.accepted.push_back(
        {committed.place.id, committed.author, committed.act.delta, verdict.standing, 0});
    accepted.push_back(i);
    named.push_back(verdict.group);
  }
  const std::vector<std::uint32_t> groups = fold::as_indices(accepted, named);
  for (std::size_t i = 0; i < groups.size(); ++i) action.accepted[i].group = groups[i];
  action.seed = *run.round.score_seed;
  action.possible = judgement.possible;
  if (const fold::ClosedRound* last = run.last_update(run.round.number)) {
    action.previous = Previous{*last->update, last->base};
  }
  action.checkpoint_due = run.recipe.checkpoint_due(run.round.number);
  return action;
}

}  // namespace

Action decide_coordinator(const fold::LogState& log, const fold::RunState& run, const KeyId& me,
                          const CoordinatorFacts& facts) {
  if (me != run.coordinator) return Stranger{};
  if (run.phase == fold::Phase::finished) return Done{};
  if (!log.author(me)) {
    if (facts.identify_sent) return Wait{"identity sent"};
    return Identify{};
  }
  if (run.phase == fold::Phase::closing) {
    if (facts.attempted_round == run.round.number) return Wait{"close sent"};
    if (const auto due = fold::void_due(run)) {
      return GoBack{run.round.number, due->weights, due->residual,
                    run.recipe.checkpoint_due(run.round.number), fold::void_text(*due)};
    }
    return close(run);
  }
  const bool score_is_due = run.phase == fold::Phase::score && run.coordinator_scores(me) &&
                            run.may_score(me, log.now_ms()) && !run.score_of(me) &&
                            facts.scored_round != run.round.number;
  if (score_is_due) return score_of_open_round(run);
  if (tick_is_wanted(log, run, facts.clock)) return AskTick{};
  return Wait{std::string("in phase ") + fold::name(run.phase)};
}

}  // namespace harambee::role

#include "role/trainer.h"

#include "fold/assignment.h"

namespace harambee::role {

namespace {

using namespace trainer;

Action train(const fold::RunState& run, const fold::Member& member) {
  const std::int64_t round = run.round.number;
  Train action;
  action.round = round;
  action.base = run.weights;
  action.ordinal = member.ordinal;
  action.seed = fold::inner_seed(run.id, static_cast<std::uint64_t>(round), member.key);
  action.first_step = round * run.recipe.inner.steps;
  action.total_steps = run.recipe.total_steps();
  action.error_feedback = member.error_feedback;
  action.optimizer = member.optimizer;
  action.commit_deadline_ms = *run.deadline_ms();
  return action;
}

Action in_commit(const fold::LogState& log, const fold::RunState& run, const fold::Member& member,
                 const TrainerFacts& facts) {
  if (member.suspended) return Wait{"suspended: ", *member.suspended};
  if (run.has_contributed(member)) return Wait{"committed; waiting for the others"};
  if (facts.attempted_round == run.round.number) return Wait{"contribution sent"};
  if (run.left_out(member.key) && !run.open_to_all(log.now_ms())) {
    return Wait{"others were drawn for this round; waiting for the next"};
  }
  if (!run.has_place(member, log.now_ms())) {
    return Wait{"this round is full; waiting for the next"};
  }
  return train(run, member);
}

// Until the close the blob is needed: validators score it, and the coordinator adds it up.
Action after_commit(const fold::RunState& run, const fold::Member& member,
                    const TrainerFacts& facts) {
  const bool closing = run.phase == fold::Phase::closing;
  const fold::Committed* mine =
      run.has_contributed(member) ? run.contribution_of(member.key) : nullptr;
  if (mine == nullptr || facts.uploaded_round == run.round.number) {
    if (closing) return Wait{"waiting for the coordinator to close the round"};
    return mine ? Wait{"waiting for the validators"}
                : Wait{"the round began without us; waiting for the next"};
  }
  return Reveal{run.round.number, mine->act.delta, run.round.phase_ms + run.recipe.reveal_ms};
}

std::optional<RevealStates> owed_states(const fold::RunState& run, const fold::Member& member,
                                        const TrainerFacts& facts) {
  for (const std::size_t position : member.audits) {
    const fold::AuditCase& audit = run.audits[position];
    if (facts.states_done.contains(audit.contribution.id)) continue;
    const bool wanted =
        audit.phase == fold::AuditPhase::reveal || audit.end == fold::AuditEnd::withheld;
    const bool named = audit.phase == fold::AuditPhase::audit && audit.revealed;
    if (!wanted && !named) continue;
    const fold::ClosedContribution& one =
        *run.closed_contribution(audit.round, audit.contribution.id);
    RevealStates action{one.place.id,         audit.round, one.error_feedback.before,
                        one.optimizer.before, {},          named};
    if (one.numeric_class != fold::kExactClass) {
      action.error_feedback_after = one.error_feedback.after;
    }
    return action;
  }
  return std::nullopt;
}

std::optional<Dispute> due_dispute(const fold::RunState& run, const fold::Member& member,
                                   const TrainerFacts& facts) {
  for (const std::size_t position : member.audits) {
    const fold::AuditCase& audit = run.audits[position];
    const bool accused = audit.end == fold::AuditEnd::accused;
    if (!accused || audit.redone || facts.disputed.contains(audit.contribution.id)) continue;
    return Dispute{audit.contribution.id, audit.round};
  }
  return std::nullopt;
}

}  // namespace

Action decide_trainer(const fold::LogState& log, const fold::RunState& run, const KeyId& me,
                      const TrainerFacts& facts) {
  return decide_trainer(log, run, me, run.member(me), facts);
}

Action decide_trainer(const fold::LogState& log, const fold::RunState& run, const KeyId& me,
                      const fold::Member* member, const TrainerFacts& facts) {
  if (member && member->excluded) {
    return run.phase == fold::Phase::finished ? Action(Done{}) : Excluded{*member->excluded};
  }
  if (member) {
    if (std::optional<RevealStates> owed = owed_states(run, *member, facts)) return *owed;
    if (std::optional<Dispute> due = due_dispute(run, *member, facts)) return *due;
  }
  if (run.phase == fold::Phase::finished) return Done{};
  if (!member && !log.author(me)) {
    if (facts.identify_sent) return Wait{"identity sent"};
    return Identify{};
  }
  if (!member || member->left) {
    if (facts.join_sent) return Wait{"join sent"};
    return Join{};
  }
  switch (run.phase) {
    case fold::Phase::waiting_start:
      return Wait{"the maintainer has not started the run"};
    case fold::Phase::commit:
      return in_commit(log, run, *member, facts);
    case fold::Phase::score:
    case fold::Phase::closing:
      return after_commit(run, *member, facts);
    case fold::Phase::finished:
      break;
  }
  return Done{};
}

}  // namespace harambee::role

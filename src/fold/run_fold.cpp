#include "fold/run_fold.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"
#include "fold/assignment.h"
#include "fold/close_fold.h"
#include "fold/cohort.h"
#include "fold/judge.h"

namespace harambee::fold {

namespace {

void enter(RunState& run, Phase phase, const Context& context) {
  run.phase = phase;
  run.round.phase_index = context.place.index;
  run.round.phase_ms = context.now_ms;
}

// Why this round number cannot be spoken of now.
Objection round_objection(const RunState& run, std::int64_t round) {
  if (run.phase == Phase::waiting_start) return "the run has not started";
  if (run.phase == Phase::finished) return "the run is finished";
  if (round == run.round.number) return std::nullopt;
  return "round " + std::to_string(round) + " is not open; round " +
         std::to_string(run.round.number) + " is";
}

Objection chain_objection(const char* what, const StateStep& step,
                          const std::optional<Digest>& last) {
  if (!step.before || step.before == last || HARAMBEE_MUTANT("loose-chain")) return std::nullopt;
  if (!last) return std::string(what) + ": begins from a state that the log does not know";
  return std::string(what) + ": begins from " + step.before->hex() +
         ", but the author's last contribution ended in " + last->hex();
}

// What every contribution of a run says alike: a class chosen anew each round would choose how it
// is audited, and a made-up number of tokens would stand in the run's totals.
Objection work_objection(const RunState& run, const Member& member, const Contribution& act) {
  if (act.numeric_class != member.numeric_class) {
    return "class: " + act.numeric_class + ", but the author joined as " + member.numeric_class;
  }
  const Recipe& recipe = run.recipe;
  if (act.steps != recipe.inner.steps) {
    return "steps: a round of this run has " + std::to_string(recipe.inner.steps);
  }
  const std::int64_t tokens = act.steps * recipe.inner.batch * recipe.model.context;
  if (act.tokens != tokens) {
    return "tokens: a round's work is " + std::to_string(tokens);
  }
  return std::nullopt;
}

// Why there is no place for this member; members that the round waits for have theirs reserved.
Objection place_objection(const RunState& run, const Member& member, std::int64_t now_ms) {
  if (run.left_out(member.key) && !run.open_to_all(now_ms) && !HARAMBEE_MUTANT("undrawn-work")) {
    return "the author was not drawn for this round: it has " +
           std::to_string(run.round.cohort.size()) + " places";
  }
  if (run.has_place(member, now_ms)) return std::nullopt;
  return "the round is full: " + std::to_string(run.places()) + " contributions";
}

Objection contribution_objection(const RunState& run, const Member* member, const Context& context,
                                 const Contribution& act) {
  const KeyId& author = context.author;
  if (!member) return "the author has not joined this run";
  if (member->excluded) return "the author is excluded: " + *member->excluded;
  if (member->suspended && !HARAMBEE_MUTANT("suspended-goes-on")) {
    return "the author is suspended: " + *member->suspended;
  }
  if (member->left) return "the author has left this run";
  if (Objection objection = round_objection(run, act.round)) return objection;
  if (run.phase != Phase::commit && !HARAMBEE_MUTANT("late-work")) {
    return "late: the commit phase of round " + std::to_string(act.round) + " has ended";
  }
  if (act.base != run.weights && !HARAMBEE_MUTANT("stale-base")) {
    return "base: trained from " + act.base.hex() + ", but the round's weights are " +
           run.weights.hex();
  }
  if (!act.domain.empty() && !std::ranges::binary_search(run.domains, act.domain)) {
    return "domain: the run has no domain " + act.domain;
  }
  if (run.contribution_of(author) && !HARAMBEE_MUTANT("two-each"))
    return "the author has contributed to this round already";
  if (Objection objection = work_objection(run, *member, act)) return objection;
  if (Objection objection = chain_objection("ef", act.error_feedback, member->error_feedback)) {
    return objection;
  }
  if (Objection objection = chain_objection("opt", act.optimizer, member->optimizer)) {
    return objection;
  }
  return place_objection(run, *member, context.now_ms);
}

Objection score_objection(const RunState& run, const KeyId& author, std::int64_t now_ms,
                          const Score& act) {
  if (!run.is_validator(author)) return "the author is not a validator of this run";
  if (Objection objection = round_objection(run, act.round)) return objection;
  if (run.phase == Phase::commit) return "the commit phase has not ended";
  if (run.phase == Phase::closing) return "late: the round's scores are final";
  if (run.score_of(author)) return "the author has scored this round already";
  if (!run.may_score(author, now_ms) && !HARAMBEE_MUTANT("undrawn-judge"))
    return "the author was not drawn to score this round";
  if (act.base != run.weights) return "base: not the weights of this round";
  if (act.seed != run.round.score_seed) return "seed: not the score seed of this round";
  if (act.entries.size() != run.round.contributions.size()) {
    return "entries: must be one for each of the " +
           std::to_string(run.round.contributions.size()) + " contributions";
  }
  if (act.loss_nanos.has_value() != run.recipe.reports_loss()) {
    return act.loss_nanos ? "loss: this run reports none" : "loss: missing";
  }
  const auto tried = [](const ScoreEntry& one) { return one.gain_nanos != 0; };
  if (!run.recipe.gated() && std::ranges::any_of(act.entries, tried)) {
    return "gain: nothing is tried in this run";
  }
  const std::size_t domains = run.guarded().size();
  for (const ScoreEntry& entry : act.entries) {
    if (entry.domain_gains.size() == (entry.verdict == kVerdictOk ? domains : 0)) continue;
    return "domains: must be the gains on each of the " + std::to_string(domains) +
           " guarded domains";
  }
  const auto speaks_of_own = [](const ScoreEntry& one) { return one.own_nanos.has_value(); };
  if (run.recipe.judge.own_rounds == 0 && std::ranges::any_of(act.entries, speaks_of_own)) {
    return "own: this run has no such test";
  }
  return std::nullopt;
}

void open_round(RunState& run, std::int64_t number, const Context& context) {
  run.missed.clear();
  run.round = RoundState{};
  run.round.number = number;
  run.round.opened_index = context.place.index;
  run.round.opened_ms = context.now_ms;
  run.round.cohort = draw_cohort(run, context.place.id);
  for (const Member& member : run.members) {
    if (run.expects(member)) ++run.round.waiting_for;
  }
  enter(run, Phase::commit, context);
}

// The open round is in history.
void next_round(RunState& run, const Context& context) {
  const std::int64_t next = run.round.number + 1;
  if (next < run.recipe.rounds) {
    open_round(run, next, context);
    return;
  }
  run.round = RoundState{};
  run.missed.clear();
  enter(run, Phase::finished, context);
}

}  // namespace

RunState opened_run(const Context& context, OpenRun act) {
  RunState run;
  run.id = context.place.id;
  run.opened = context.place;
  run.name = std::move(act.name);
  run.maintainer = context.author;
  run.coordinator = act.coordinator;
  run.validators = std::move(act.validators);
  run.recipe = std::move(act.recipe);
  run.data = std::move(act.data);
  run.domains = std::move(act.domains);
  return run;
}

Objection take(RunState& run, const Context& context, const Start& act) {
  if (context.author != run.maintainer) return "only the maintainer starts a run";
  if (run.phase != Phase::waiting_start) return "the run has started already";
  run.start = act;
  run.start_place = context.place;
  run.weights = act.checkpoint.digest;
  run.checkpoint = act.checkpoint;
  run.checkpoint_round = 0;
  open_round(run, 0, context);
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, const Join& act) {
  if (run.phase == Phase::finished) return "the run is finished";
  Member* known = run.members.find(context.author);
  if (!known) {
    if (run.members.size() >= kMembersMax) {
      return "the run is full: " + std::to_string(kMembersMax) + " members";
    }
    Member member;
    member.key = context.author;
    member.numeric_class = act.numeric_class;
    member.trainer = act.trainer;
    member.joined = context.place;
    run.members.add(std::move(member));
    return std::nullopt;
  }
  Member& member = *known;
  if (member.excluded) return "the author is excluded: " + *member.excluded;
  if (!member.left) return "the author is a member already";
  member.left.reset();
  member.joined = context.place;
  member.numeric_class = act.numeric_class;
  member.trainer = act.trainer;
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, const Leave&) {
  Member* found = run.members.find(context.author);
  if (!found) return "the author has not joined this run";
  Member& member = *found;
  if (member.left) return "the author has left already";
  const bool awaited =
      run.phase == Phase::commit && run.expects(member) && !run.has_contributed(member);
  if (awaited) --run.round.waiting_for;
  member.left = context.place;
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, Contribution act) {
  Member* member = run.members.find(context.author);
  if (Objection objection = contribution_objection(run, member, context, act)) {
    return objection;
  }
  if (run.expects(*member)) --run.round.waiting_for;
  member->missed = HARAMBEE_MUTANT("missed-for-ever") && member->missed;
  member->error_feedback = act.error_feedback.after;
  member->optimizer = act.optimizer.after;
  member->last_contribution = context.place;
  const bool fresh = !act.error_feedback.before && !act.optimizer.before;
  member->links = fresh ? 1 : member->links + 1;
  run.round.contributions.push_back({context.place, context.author, std::move(act), member->links});
  return std::nullopt;
}

void end_commit(RunState& run, const Context& context, const Digest& log_root) {
  HARAMBEE_CHECK(run.phase == Phase::commit);
  for (Member& member : run.members) {
    if (!run.expects(member) || run.has_contributed(member)) continue;
    member.missed = true;
    ++member.missed_rounds;
    run.missed.push_back(member.key);
  }
  HARAMBEE_CHECK(static_cast<std::int64_t>(run.missed.size()) == run.round.waiting_for);
  run.round.score_seed = score_seed(HARAMBEE_MUTANT("known-seed") ? run.id : log_root);
  run.round.committee = draw_committee(run, *run.round.score_seed);
  enter(run, Phase::score, context);
}

Objection take(RunState& run, const Context& context, Score act) {
  if (Objection objection = score_objection(run, context.author, context.now_ms, act))
    return objection;
  run.round.scores.push_back({context.place, context.author, std::move(act)});
  end_score_if_complete(run, context);
  return std::nullopt;
}

void end_score_if_complete(RunState& run, const Context& context) {
  if (run.phase != Phase::score || run.round.scores.empty()) return;
  const std::vector<KeyId> awaited = run.scorers();
  const auto scored = [&run](const KeyId& key) { return run.score_of(key) != nullptr; };
  if (std::ranges::all_of(awaited, scored)) end_score(run, context);
}

void end_score(RunState& run, const Context& context) {
  HARAMBEE_CHECK(run.phase == Phase::score && !run.round.scores.empty());
  enter(run, Phase::closing, context);
}

Objection take(RunState& run, const Context& context, const Close& act) {
  if (context.author != run.coordinator) return "only the coordinator closes a round";
  if (Objection objection = round_objection(run, act.round)) return objection;
  if (run.phase == Phase::commit) return "the commit phase has not ended";
  if (run.phase == Phase::score) return "the score phase has not ended";
  const Judgement judgement = derive(run);
  if (Objection objection = close_objection(run, judgement, act)) return objection;
  settle(run, context, judgement, act);
  next_round(run, context);
  return std::nullopt;
}

Objection take(RunState& run, const Context& context, const Void& act) {
  if (context.author != run.coordinator) return "only the coordinator voids a round";
  if (Objection objection = round_objection(run, act.round)) return objection;
  if (run.phase != Phase::closing) return "the score phase has not ended";
  if (Objection objection = void_objection(run, act)) return objection;
  settle_void(run, context, act);
  next_round(run, context);
  return std::nullopt;
}

}  // namespace harambee::fold

#include "fold/status.h"

#include <bit>

#include "fold/judge.h"
#include "fold/lineage.h"

namespace harambee::fold {

namespace {

Json optional_number(const std::optional<std::int64_t>& value) {
  return value ? Json(*value) : Json(nullptr);
}

const char* standing(const RunState& run, const Member& member) {
  if (member.slashed) return "convicted";
  if (member.excluded) return "excluded";
  if (member.left) return "left";
  if (member.suspended) return "suspended";
  if (member.own.idle) return "idle";
  if (run.phase == Phase::commit && run.has_contributed(member)) return "committed";
  if (member.missed) return "missed";
  if (run.phase == Phase::commit && run.expects(member)) return "expected";
  if (run.phase == Phase::commit && run.left_out(member.key)) return "not drawn";
  return "active";
}

Json reason(const Member& member) {
  if (member.excluded) return *member.excluded;
  if (member.suspended) return *member.suspended;
  return member.own.idle ? Json(own_reason(member.own)) : Json(nullptr);
}

Json parent_json(const LogState& log, const RunState& run) {
  const std::optional<Parent> parent = parent_of(log, run);
  if (!parent) return nullptr;
  return JsonObject{{"name", log.run(parent->run)->name}, {"rounds", parent->rounds}};
}

Json members_json(const RunState& run) {
  JsonArray members;
  for (const Member& member : run.members) members.push_back(member_json(run, member));
  return members;
}

}  // namespace

Json member_json(const RunState& run, const Member& member) {
  JsonArray gains;
  for (const std::int64_t gain : member.gains) gains.push_back(gain);
  return JsonObject{{"accepted", member.accepted},
                    {"class", member.numeric_class},
                    {"credit_micros", member.credit.micros()},
                    {"gains_nanos", std::move(gains)},
                    {"key", member.key.hex()},
                    {"missed_rounds", member.missed_rounds},
                    {"ordinal", member.ordinal},
                    {"own_better", std::popcount(member.own.better)},
                    {"own_known", member.own.known},
                    {"reason", reason(member)},
                    {"rejected", member.rejected},
                    {"rejected_streak", member.rejected_streak},
                    {"standing", standing(run, member)},
                    {"tokens", member.tokens},
                    {"trainer", member.trainer}};
}

Json open_round_json(const RunState& run) {
  JsonArray contributions;
  for (const Committed& committed : run.round.contributions) {
    contributions.push_back(JsonObject{{"author", committed.author.hex()},
                                       {"id", committed.place.id.hex()},
                                       {"index", committed.place.index}});
  }
  JsonArray scores;
  for (const Scored& scored : run.round.scores) {
    scores.push_back(JsonObject{{"id", scored.place.id.hex()},
                                {"index", scored.place.index},
                                {"loss_nanos", optional_number(scored.act.loss_nanos)},
                                {"validator", scored.validator.hex()}});
  }
  return JsonObject{{"contributions", std::move(contributions)},
                    {"opened_ms", run.round.opened_ms},
                    {"scores", std::move(scores)},
                    {"waiting_for", run.round.waiting_for}};
}

Json closed_json(const RunState& run, const ClosedRound& round) {
  std::int64_t accepted = 0;
  for (const ClosedContribution& one : round.contributions) accepted += one.accepted ? 1 : 0;
  return JsonObject{{"accepted", accepted},
                    {"closed_ms", round.closed_ms},
                    {"contributions", round.contributions.size()},
                    {"loss_nanos", optional_number(round.loss_nanos)},
                    {"missed", round.missed.size()},
                    {"number", round.number},
                    {"taken_back", run.undone(static_cast<std::size_t>(round.number))},
                    {"voided", round.voided},
                    {"weights", round.weights.hex()}};
}

Json baselines_json(const RunState& run) {
  JsonArray out;
  for (const LoggedBaseline& one : run.baselines) out.push_back(baseline_json(one));
  return out;
}

Json status_json(const LogState& log, const RunState& run) {
  const bool started = run.phase != Phase::waiting_start;
  const bool open = started && run.phase != Phase::finished;
  JsonArray rounds;
  for (const ClosedRound& round : run.history) rounds.push_back(closed_json(run, round));
  JsonObject credits;
  for (const auto& [key, amount] : run.credits) credits.emplace(key.hex(), amount.micros());
  JsonArray validators;
  for (const KeyId& validator : run.validators) validators.push_back(validator.hex());
  Json loss = run.history.empty() ? Json(nullptr) : optional_number(run.history.back().loss_nanos);
  return JsonObject{
      {"baselines", baselines_json(run)},
      {"checkpoint", run.checkpoint ? Json(run.checkpoint->digest.hex()) : Json(nullptr)},
      {"checkpoint_round", run.checkpoint_round},
      {"closed", std::move(rounds)},
      {"coordinator", run.coordinator.hex()},
      {"credits_micros", std::move(credits)},
      {"deadline_ms", optional_number(run.deadline_ms())},
      {"distributed_micros", run.distributed.micros()},
      {"domains", JsonArray(run.domains.begin(), run.domains.end())},
      {"log_ms", log.now_ms()},
      {"log_size", log.frontier.size()},
      {"loss_nanos", std::move(loss)},
      {"maintainer", run.maintainer.hex()},
      {"members", members_json(run)},
      {"name", run.name},
      {"open", open ? open_round_json(run) : Json(nullptr)},
      {"origin", log.origin},
      {"parent", parent_json(log, run)},
      {"phase", name(run.phase)},
      {"refusals_count", run.refusals_count},
      {"round", run.history.size()},
      {"rounds", run.recipe.rounds},
      {"run", run.id.hex()},
      {"validators", std::move(validators)},
      {"weights", started ? Json(run.weights.hex()) : Json(nullptr)}};
}

}  // namespace harambee::fold

// The canonical serialisation of a state. Complete: a member that is added to state.h is added
// here, or two states that differ would hash alike (the test StateHash.SeesEveryMember).
#include <initializer_list>
#include <utility>

#include "base/encoding.h"
#include "fold/state.h"

namespace harambee::fold {

namespace {

// A JSON object out of a list of its members, which are moved: initializer lists of JsonObject copy
// them, again on every level, and a run of ten thousand members has two million values.
class HashObject {
 public:
  struct Member {
    const char* key;
    mutable Json value;
  };
  HashObject(std::initializer_list<Member> members) {
    for (const Member& member : members) object_.emplace(member.key, std::move(member.value));
  }
  operator Json() && { return std::move(object_); }

 private:
  JsonObject object_;
};

// Declared first: containers call these for their elements.
Json json_of(const Digest& digest) { return digest.hex(); }
Json json_of(const std::string& text) { return text; }
Json json_of(std::int64_t number) { return number; }
Json json_of(MicroCredit credit) { return credit.micros(); }
Json json_of(const PublicKey& key) { return hex(key.bytes); }
Json json_of(const Place& place);
Json json_of(const Refusal& refusal);
Json json_of(const BlobRef& blob);
Json json_of(const Author& author);
Json json_of(const Start& act);
Json json_of(const StateStep& step);
Json json_of(const Contribution& act);
Json json_of(const ScoreEntry& entry);
Json json_of(const Score& act);
Json json_of(const Member& member);
Json json_of(const Committed& committed);
Json json_of(const Scored& scored);
Json json_of(const RoundState& round);
Json json_of(const ClosedContribution& one);
Json json_of(const ClosedScore& one);
Json json_of(const ClosedRound& round);
Json json_of(const AuditAnswer& answer);
Json json_of(const AuditCase& audit);
Json json_of(const Liar& liar);
Json json_of(const LoggedBaseline& baseline);
Json json_of(const RunState& run);
Json json_of(std::size_t number) { return number; }

template <typename T>
Json json_of(const std::optional<T>& value) {
  return value ? json_of(*value) : Json(nullptr);
}

template <typename Sequence>
Json list(const Sequence& sequence) {
  JsonArray items;
  items.reserve(sequence.size());
  for (const auto& item : sequence) items.push_back(json_of(item));
  return items;
}

template <typename Value>
Json map(const std::map<Digest, Value>& values) {
  JsonObject items;
  // In order: the keys' hex digits sort as the keys do.
  for (const auto& [key, value] : values) {
    items.emplace_hint(items.end(), key.hex(), json_of(value));
  }
  return items;
}

Json json_of(const Place& place) { return JsonArray{Json(place.index), Json(place.id.hex())}; }

Json json_of(const Refusal& refusal) {
  return HashObject{{"author", json_of(refusal.author)},
                    {"kind", refusal.kind},
                    {"place", json_of(refusal.place)},
                    {"reason", refusal.reason}};
}

Json json_of(const BlobRef& blob) {
  return HashObject{{"digest", json_of(blob.digest)}, {"size", blob.size}, {"type", blob.type}};
}

Json json_of(const Author& author) {
  return HashObject{
      {"key", json_of(author.key)}, {"last", json_of(author.last)}, {"next_seq", author.next_seq}};
}

Json json_of(const Start& act) {
  return HashObject{{"checkpoint", json_of(act.checkpoint)},
                    {"loss_first", act.loss_first_nanos},
                    {"loss_last", act.loss_last_nanos},
                    {"run", json_of(act.run)},
                    {"tokens", act.tokens}};
}

Json json_of(const StateStep& step) { return JsonArray{json_of(step.before), json_of(step.after)}; }

Json json_of(const Contribution& act) {
  return HashObject{{"base", json_of(act.base)},
                    {"class", act.numeric_class},
                    {"delta", json_of(act.delta)},
                    {"domain", act.domain},
                    {"ef", json_of(act.error_feedback)},
                    {"loss_first", act.loss_first_nanos},
                    {"loss_last", act.loss_last_nanos},
                    {"opt", json_of(act.optimizer)},
                    {"round", act.round},
                    {"run", json_of(act.run)},
                    {"steps", act.steps},
                    {"tokens", act.tokens}};
}

Json json_of(const ScoreEntry& entry) {
  return HashObject{{"domains", list(entry.domain_gains)},
                    {"exp", entry.norm_exponent},
                    {"gain", entry.gain_nanos},
                    {"group", entry.group},
                    {"norm", entry.squared_norm},
                    {"own", json_of(entry.own_nanos)},
                    {"v", entry.verdict}};
}

Json json_of(const Score& act) {
  return HashObject{{"base", json_of(act.base)},       {"entries", list(act.entries)},
                    {"loss", json_of(act.loss_nanos)}, {"round", act.round},
                    {"run", json_of(act.run)},         {"seed", json_of(act.seed)}};
}

Json json_of(const Member& member) {
  return HashObject{
      {"accepted", member.accepted},
      {"class", member.numeric_class},
      {"credit", json_of(member.credit)},
      {"ef", json_of(member.error_feedback)},
      {"excluded", json_of(member.excluded)},
      {"excluded_by", member.excluded ? json_of(member.excluded_by) : Json(nullptr)},
      {"gains", list(member.gains)},
      {"joined", json_of(member.joined)},
      {"key", json_of(member.key)},
      {"last_contribution", json_of(member.last_contribution)},
      {"left", json_of(member.left)},
      {"links", member.links},
      {"missed", member.missed},
      {"missed_rounds", member.missed_rounds},
      {"opt", json_of(member.optimizer)},
      {"ordinal", member.ordinal},
      {"own", JsonArray{Json(std::to_string(member.own.better)), Json(member.own.known),
                        Json(member.own.idle)}},
      {"rejected", member.rejected},
      {"rejected_streak", member.rejected_streak},
      {"slashed", member.slashed},
      {"suspended", json_of(member.suspended)},
      {"suspended_by", member.suspended ? json_of(member.suspended_by) : Json(nullptr)},
      {"tokens", member.tokens},
      {"trainer", member.trainer}};
}

Json json_of(const Committed& committed) {
  return HashObject{{"act", json_of(committed.act)},
                    {"author", json_of(committed.author)},
                    {"links", committed.links},
                    {"place", json_of(committed.place)}};
}

Json json_of(const Scored& scored) {
  return HashObject{{"act", json_of(scored.act)},
                    {"place", json_of(scored.place)},
                    {"validator", json_of(scored.validator)}};
}

Json json_of(const RoundState& round) {
  return HashObject{{"cohort", list(round.cohort)},
                    {"committee", list(round.committee)},
                    {"contributions", list(round.contributions)},
                    {"number", round.number},
                    {"opened_index", round.opened_index},
                    {"opened_ms", round.opened_ms},
                    {"phase_index", round.phase_index},
                    {"phase_ms", round.phase_ms},
                    {"score_seed", json_of(round.score_seed)},
                    {"scores", list(round.scores)},
                    {"waiting_for", round.waiting_for}};
}

Json json_of(const ClosedContribution& one) {
  return HashObject{{"accepted", one.accepted},
                    {"author", json_of(one.author)},
                    {"credit", json_of(one.credit)},
                    {"class", one.numeric_class},
                    {"counted", one.counted_nanos},
                    {"delta", json_of(one.delta)},
                    {"domain", one.domain},
                    {"domains", list(one.domain_gains)},
                    {"ef", json_of(one.error_feedback)},
                    {"forfeited", json_of(one.forfeited)},
                    {"gain", json_of(one.gain_nanos)},
                    {"group", one.group},
                    {"idle", one.idle},
                    {"links", one.links},
                    {"loss_first", one.loss_first_nanos},
                    {"loss_last", one.loss_last_nanos},
                    {"opt", json_of(one.optimizer)},
                    {"own", json_of(one.own_nanos)},
                    {"place", json_of(one.place)},
                    {"reason", one.reason},
                    {"standing", one.standing},
                    {"tokens", one.tokens}};
}

Json json_of(const ClosedScore& one) {
  return HashObject{{"credit", json_of(one.credit)},
                    {"loss", json_of(one.loss_nanos)},
                    {"place", json_of(one.place)},
                    {"validator", json_of(one.validator)}};
}

Json json_of(const ClosedRound& round) {
  return HashObject{{"base", json_of(round.base)},
                    {"checkpoint", json_of(round.checkpoint)},
                    {"close", json_of(round.close)},
                    {"closed_ms", round.closed_ms},
                    {"contributions", list(round.contributions)},
                    {"coordinator_credit", json_of(round.coordinator_credit)},
                    {"loss", json_of(round.loss_nanos)},
                    {"missed", list(round.missed)},
                    {"mostly_rejected", round.mostly_rejected},
                    {"number", round.number},
                    {"opened_index", round.opened_index},
                    {"opened_ms", round.opened_ms},
                    {"possible", static_cast<std::int64_t>(round.possible)},
                    {"residual", json_of(round.residual)},
                    {"score_seed", json_of(round.score_seed)},
                    {"scores", list(round.scores)},
                    {"update", json_of(round.update)},
                    {"voided", round.voided},
                    {"weights", json_of(round.weights)}};
}

Json json_of(const AuditAnswer& answer) {
  Payload payload = write(answer.act);
  return HashObject{{"auditor", json_of(answer.auditor)},
                    {"body", std::move(payload.body)},
                    {"place", json_of(answer.place)}};
}

Json json_of(const AuditCase& audit) {
  return HashObject{{"answers", list(audit.answers)},
                    {"auditors", list(audit.auditors)},
                    {"author", json_of(audit.author)},
                    {"contribution", json_of(audit.contribution)},
                    {"disputed_by", json_of(audit.disputed_by)},
                    {"end", name(audit.end)},
                    {"ended", audit.end == AuditEnd::none ? Json(nullptr) : json_of(audit.ended)},
                    {"everybody", audit.everybody},
                    {"opened", json_of(audit.opened)},
                    {"phase", name(audit.phase)},
                    {"phase_index", audit.phase_index},
                    {"phase_ms", audit.phase_ms},
                    {"reason", audit.reason},
                    {"redone", audit.redone},
                    {"revealed", json_of(audit.revealed)},
                    {"round", audit.round},
                    {"states", list(audit.states)}};
}

Json json_of(const Liar& liar) {
  return HashObject{{"by", json_of(liar.by)}, {"reason", liar.reason}};
}

Json json_of(const LoggedBaseline& baseline) { return baseline_json(baseline); }

Json json_of(const RunState& run) {
  return HashObject{{"audits", list(run.audits)},
                    {"baselines", list(run.baselines)},
                    {"audits_drawn", run.audits_drawn},
                    {"best_loss", json_of(run.best_loss_nanos)},
                    {"checkpoint", json_of(run.checkpoint)},
                    {"checkpoint_round", run.checkpoint_round},
                    {"coordinator", json_of(run.coordinator)},
                    {"credits", map(run.credits)},
                    {"data", json_of(run.data)},
                    {"distributed", json_of(run.distributed)},
                    {"domains", list(run.domains)},
                    {"forfeited", json_of(run.forfeited)},
                    {"history", list(run.history)},
                    {"id", json_of(run.id)},
                    {"liars", map(run.liars)},
                    {"maintainer", json_of(run.maintainer)},
                    {"member_order", list(run.member_order)},
                    {"members", map(run.members)},
                    {"missed", list(run.missed)},
                    {"name", run.name},
                    {"open_audits", list(run.open_audits)},
                    {"opened", json_of(run.opened)},
                    {"phase", name(run.phase)},
                    {"recipe", to_json(run.recipe)},
                    {"refusals", list(run.refusals)},
                    {"refusals_count", run.refusals_count},
                    {"residual", json_of(run.residual)},
                    {"round", json_of(run.round)},
                    {"start", json_of(run.start)},
                    {"start_place", json_of(run.start_place)},
                    {"validators", list(run.validators)},
                    {"weights", json_of(run.weights)}};
}

}  // namespace

Json state_json(const LogState& state) {
  JsonObject names;
  for (const auto& [text, id] : state.names) names.emplace(text, json_of(id));
  return HashObject{{"authors", map(state.authors)},
                    {"frontier", hex(state.frontier.serialise())},
                    {"hub", json_of(state.hub)},
                    {"last_tick_ms", json_of(state.last_tick_ms)},
                    {"name", state.name},
                    {"names", std::move(names)},
                    {"origin", state.origin},
                    {"refusals", list(state.refusals)},
                    {"refusals_count", state.refusals_count},
                    {"runs", map(state.runs)},
                    {"tick_ms", state.tick_ms},
                    {"vkey", state.vkey}};
}

Digest state_hash(const LogState& state) { return sha256(view(write(state_json(state)))); }

}  // namespace harambee::fold

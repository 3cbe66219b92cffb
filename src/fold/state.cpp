#include "fold/state.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"

namespace harambee::fold {

namespace {

template <typename Map, typename Key>
const typename Map::mapped_type* find(const Map& map, const Key& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

}  // namespace

const char* name(Phase phase) {
  switch (phase) {
    case Phase::waiting_start:
      return "waiting_start";
    case Phase::commit:
      return "commit";
    case Phase::score:
      return "score";
    case Phase::closing:
      return "closing";
    case Phase::finished:
      return "finished";
  }
  HARAMBEE_CHECK(false);
  return "";
}

const Member* RunState::member(const KeyId& key) const { return members.find(key); }

const Committed* RunState::contribution_of(const KeyId& author) const {
  for (const Committed& committed : round.contributions) {
    if (committed.author == author) return &committed;
  }
  return nullptr;
}

const Scored* RunState::score_of(const KeyId& validator) const {
  for (const Scored& scored : round.scores) {
    if (scored.validator == validator) return &scored;
  }
  return nullptr;
}

std::span<const std::string> RunState::guarded() const {
  if (recipe.judge.guard == Decimal{0}) return {};
  return domains;
}

bool RunState::is_validator(const KeyId& key) const {
  return std::find(validators.begin(), validators.end(), key) != validators.end() &&
         !liars.contains(key);
}

std::vector<KeyId> RunState::acting_validators() const {
  std::vector<KeyId> acting = validators;
  std::erase_if(acting, [this](const KeyId& key) { return liars.contains(key); });
  return acting;
}

const AuditCase* RunState::audit_of(const KeyId& author, const RecordId& contribution) const {
  const Member* member = this->member(author);
  if (!member) return nullptr;
  for (const std::size_t position : member->audits) {
    if (audits[position].contribution.id == contribution) return &audits[position];
  }
  return nullptr;
}

const ClosedContribution* RunState::closed_contribution(std::int64_t number,
                                                        const RecordId& id) const {
  if (number < 0 || number >= static_cast<std::int64_t>(history.size())) return nullptr;
  for (const ClosedContribution& one : history[static_cast<std::size_t>(number)].contributions) {
    if (one.place.id == id) return &one;
  }
  return nullptr;
}

std::vector<KeyId> RunState::scorers() const {
  std::vector<KeyId> drawn = round.committee;
  std::erase_if(drawn, [this](const KeyId& key) { return liars.contains(key); });
  return drawn.empty() ? acting_validators() : drawn;
}

bool RunState::may_score(const KeyId& key, std::int64_t now_ms) const {
  if (!is_validator(key)) return false;
  if (phase == Phase::score && now_ms >= *deadline_ms()) return true;
  const std::vector<KeyId> drawn = scorers();
  return std::ranges::find(drawn, key) != drawn.end();
}

bool RunState::coordinator_scores(const KeyId& key) const {
  const bool untold = !recipe.needs_held_out_text() && !HARAMBEE_MUTANT("nobody-judges");
  return key == coordinator && untold;
}

bool RunState::left_out(const KeyId& key) const {
  return !round.cohort.empty() && !std::ranges::binary_search(round.cohort, key);
}

bool RunState::open_to_all(std::int64_t now_ms) const {
  return phase == Phase::commit && now_ms >= round.opened_ms + recipe.commit_ms;
}

std::size_t RunState::places() const {
  return recipe.judge.cohort == 0 ? kContributionsPerRoundMax
                                  : static_cast<std::size_t>(recipe.judge.cohort);
}

bool RunState::has_place(const Member& member, std::int64_t now_ms) const {
  const bool drawn = !round.cohort.empty() && !left_out(member.key);
  const bool kept = !open_to_all(now_ms) && !expects(member) && !drawn;
  const std::int64_t reserved = kept ? round.waiting_for : 0;
  return round.contributions.size() + static_cast<std::size_t>(reserved) < places();
}

bool RunState::expects(const Member& member) const {
  return member.active() && !member.missed && member.joined.index < round.opened_index &&
         !left_out(member.key);
}

bool RunState::undone(std::size_t r) const {
  return r + 1 < history.size() && history[r + 1].voided;
}

bool RunState::left_by_void(std::int64_t round) const {
  return round > 0 && undone(static_cast<std::size_t>(round) - 1);
}

const ClosedRound* RunState::last_update(std::int64_t before_round) const {
  HARAMBEE_CHECK(before_round >= 0);
  std::size_t r = std::min(static_cast<std::size_t>(before_round), history.size());
  while (r > 0) {
    --r;
    if (history[r].update && (!undone(r) || HARAMBEE_MUTANT("undone-center"))) return &history[r];
  }
  return nullptr;
}

std::optional<std::int64_t> RunState::deadline_ms() const {
  switch (phase) {
    case Phase::commit:
      return round.opened_ms + recipe.commit_ms;
    case Phase::score:
      return round.phase_ms + recipe.reveal_ms + recipe.score_ms;
    case Phase::waiting_start:
    case Phase::closing:
    case Phase::finished:
      break;
  }
  return std::nullopt;
}

bool RunState::tick_would_advance(std::int64_t now_ms) const {
  if (phase == Phase::commit) {
    const auto count = static_cast<std::int64_t>(round.contributions.size());
    if (count < recipe.min_contributions) return false;
    return round.waiting_for == 0 || (now_ms >= *deadline_ms() && !HARAMBEE_MUTANT("no-deadline"));
  }
  if (phase == Phase::score) {
    // More than half of those who were to score, so that no minority decides a round by being
    // early.
    const std::size_t least = HARAMBEE_MUTANT("minority-decides") ? 0 : scorers().size() / 2;
    return round.scores.size() > least && now_ms >= *deadline_ms();
  }
  return false;
}

bool RunState::tick_would_open(std::int64_t now_ms, std::int64_t log_ms) const {
  if (phase == Phase::score) {
    return !round.committee.empty() && now_ms >= *deadline_ms() && log_ms < *deadline_ms();
  }
  return !round.cohort.empty() && open_to_all(now_ms) && !open_to_all(log_ms);
}

const RunState* LogState::run(const RecordId& id) const { return find(runs, id); }

const RunState* LogState::run_named(std::string_view wanted) const {
  const RecordId* id = find(names, wanted);
  return id ? run(*id) : nullptr;
}

const Author* LogState::author(const KeyId& key) const { return find(authors, key); }

std::uint64_t LogState::next_seq(const KeyId& key) const {
  const Author* known = author(key);
  return known ? known->next_seq : 0;
}

std::optional<RecordId> LogState::prev(const KeyId& key) const {
  const Author* known = author(key);
  return known ? std::optional(known->last) : std::nullopt;
}

}  // namespace harambee::fold

#include "fold/cohort.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/mutant.h"
#include "base/rng.h"

namespace harambee::fold {

namespace {

// Of each cohort this part is for members that missed a round, so that they can come back.
constexpr std::size_t kReturningPart = 8;

struct Candidates {
  std::vector<KeyId> settled;    // here when the round before opened, and not missed
  std::vector<KeyId> returning;  // the same, but missed
  std::vector<KeyId> fresh;      // joined since
  [[nodiscard]] std::size_t size() const {
    return settled.size() + returning.size() + fresh.size();
  }
};

Candidates candidates_of(const RunState& run) {
  // Whoever makes keys when the opening record can be foreseen must not be drawn by it: it can be
  // as soon as the contributions before it are revealed.
  const std::uint64_t settled_before =
      run.history.empty() ? run.round.opened_index : run.history.back().opened_index;
  Candidates candidates;
  for (const Member& member : run.members) {
    if (!member.active() || member.joined.index >= run.round.opened_index) continue;
    const bool settled = member.joined.index < settled_before;
    (!settled        ? candidates.fresh
     : member.missed ? candidates.returning
                     : candidates.settled)
        .push_back(member.key);
  }
  return candidates;
}

// Draws up to `count` of `keys` into `cohort`, which has room for `places`.
void fill(std::vector<KeyId>& cohort, std::size_t places, std::vector<KeyId> keys,
          const Digest& seed) {
  const std::vector<KeyId> drawn = draw_some(std::move(keys), places - cohort.size(), seed);
  cohort.insert(cohort.end(), drawn.begin(), drawn.end());
}

}  // namespace

Digest cohort_seed(const Digest& run, std::uint64_t round, const RecordId& opening) {
  Bytes number;
  put_u64be(number, round);
  return sha256({view("harambee cohort v1\n"), run.view(), View(number), opening.view()});
}

std::vector<KeyId> draw_some(std::vector<KeyId> keys, std::size_t count, const Digest& seed) {
  Rng rng(seed);
  count = std::min(count, keys.size());
  for (std::size_t i = 0; i < count; ++i) std::swap(keys[i], keys[i + rng.below(keys.size() - i)]);
  keys.resize(count);
  return keys;
}

std::vector<KeyId> draw_cohort(const RunState& run, const RecordId& opening) {
  const auto places = static_cast<std::size_t>(run.recipe.judge.cohort);
  if (places == 0) return {};
  Candidates candidates = candidates_of(run);
  if (candidates.size() <= places) return {};
  const Digest seed = cohort_seed(run.id, static_cast<std::uint64_t>(run.round.number), opening);
  const std::size_t reserved = HARAMBEE_MUTANT("nobody-returns")
                                   ? 0
                                   : std::min(candidates.returning.size(),
                                              std::max<std::size_t>(places / kReturningPart, 1));
  std::vector<KeyId> cohort;
  fill(cohort, places - reserved, std::move(candidates.settled), seed);
  fill(cohort, places, std::move(candidates.returning), seed);
  fill(cohort, places, std::move(candidates.fresh), seed);
  std::ranges::sort(cohort);
  return cohort;
}

std::vector<KeyId> draw_committee(const RunState& run, const Digest& score_seed) {
  const auto seats = static_cast<std::size_t>(run.recipe.judge.committee);
  const std::vector<KeyId> acting = run.acting_validators();
  if (seats == 0 || acting.size() <= seats) return {};
  const Digest seed = sha256({view("harambee committee v1\n"), score_seed.view()});
  const std::vector<KeyId> drawn = draw_some(acting, seats, seed);
  std::vector<KeyId> committee;
  for (const KeyId& key : acting) {
    if (std::ranges::find(drawn, key) != drawn.end()) committee.push_back(key);
  }
  return committee;
}

}  // namespace harambee::fold

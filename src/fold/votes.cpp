#include "fold/votes.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/mutant.h"

namespace harambee::fold {

namespace {

bool together(const RoundState& round, std::size_t i, std::size_t j) {
  std::size_t votes = 0;
  for (const Scored& scored : round.scores) {
    const std::vector<ScoreEntry>& entries = scored.act.entries;
    votes += entries[i].group == entries[j].group ? 1 : 0;
  }
  if (HARAMBEE_MUTANT("one-ties")) return votes > 0;
  return votes * 2 > round.scores.size();
}

// Whether any validator has seen any two alike: nearly always nobody has.
bool anybody_grouped(const RoundState& round) {
  for (const Scored& scored : round.scores) {
    for (std::size_t i = 0; i < scored.act.entries.size(); ++i) {
      if (scored.act.entries[i].group != static_cast<std::int64_t>(i)) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<std::uint32_t> groups_of(const RoundState& round,
                                     std::span<const std::size_t> accepted) {
  std::vector<std::uint32_t> group(accepted.size());
  for (std::size_t i = 0; i < group.size(); ++i) group[i] = static_cast<std::uint32_t>(i);
  if (!anybody_grouped(round)) return group;
  for (std::size_t j = 0; j < accepted.size(); ++j) {
    for (std::size_t i = 0; i < j; ++i) {
      if (group[i] == group[j] || !together(round, accepted[i], accepted[j])) continue;
      const std::uint32_t first = std::min(group[i], group[j]);
      std::ranges::replace(group, std::max(group[i], group[j]), first);
    }
  }
  return group;
}

std::vector<std::uint32_t> as_indices(std::span<const std::size_t> accepted,
                                      std::span<const std::size_t> group) {
  std::vector<std::uint32_t> indices;
  for (const std::size_t position : group) {
    const auto at = std::ranges::lower_bound(accepted, position);
    HARAMBEE_CHECK(at != accepted.end() && *at == position);
    indices.push_back(static_cast<std::uint32_t>(at - accepted.begin()));
  }
  return indices;
}

std::vector<std::uint32_t> standing_caps(const RunState& run, std::span<const KeyId> authors,
                                         std::span<const std::uint32_t> group) {
  HARAMBEE_CHECK(authors.size() == group.size());
  const JudgeRule& judge = run.recipe.judge;
  const auto newcomer = [&run, &judge](const KeyId& author) {
    return run.members.at(author).accepted < judge.newcomer_rounds;
  };
  std::vector<bool> established(authors.size(), false);  // at the index of the group's first
  for (std::size_t i = 0; i < authors.size(); ++i) {
    if (!newcomer(authors[i])) established[group[i]] = true;
  }
  __extension__ using Wide = unsigned __int128;
  Wide known = 0;
  Wide unknown = 0;
  for (std::size_t i = 0; i < authors.size(); ++i) {
    if (group[i] == i) ++(established[i] ? known : unknown);
  }
  std::vector<std::uint32_t> caps(authors.size(), kFullVote);
  if (known == 0 || HARAMBEE_MUTANT("newcomers-vote")) return caps;
  constexpr std::int64_t kBillion = 1'000'000'000;
  const auto share = static_cast<std::uint64_t>(judge.newcomer_share.nanos);
  const auto rest = static_cast<std::uint64_t>(kBillion - judge.newcomer_share.nanos);  // > 0
  // A group of newcomers alone is counted even if there is none, for those in mixed groups.
  const Wide cap = Wide{kFullVote} * share * known / (rest * std::max(unknown, Wide{1}));
  for (std::size_t i = 0; i < authors.size(); ++i) {
    if (newcomer(authors[i])) caps[i] = static_cast<std::uint32_t>(std::min(cap, Wide{kFullVote}));
  }
  return caps;
}

std::uint64_t possible_votes(const RunState& run, std::span<const std::size_t> well_formed) {
  std::vector<KeyId> authors;
  for (const std::size_t position : well_formed) {
    authors.push_back(run.round.contributions[position].author);
  }
  const std::vector<std::uint32_t> group = groups_of(run.round, well_formed);
  const std::vector<std::uint32_t> caps = standing_caps(run, authors, group);
  std::vector<std::uint32_t> largest(group.size(), 0);
  for (std::size_t i = 0; i < group.size(); ++i) {
    largest[group[i]] = std::max(largest[group[i]], caps[i]);
  }
  return std::accumulate(largest.begin(), largest.end(), std::uint64_t{0});
}

}  // namespace harambee::fold

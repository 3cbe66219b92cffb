#include "fold/judge.h"

#include <algorithm>

#include "base/check.h"
#include "base/decimal.h"
#include "base/mutant.h"
#include "fold/votes.h"

namespace harambee::fold {

std::int64_t lower_median(std::vector<std::int64_t> values) {
  HARAMBEE_CHECK(!values.empty());
  const auto middle =
      values.begin() +
      static_cast<std::ptrdiff_t>((values.size() - (HARAMBEE_MUTANT("upper-median") ? 0 : 1)) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

namespace {

// The most frequent of the reasons; of equally frequent ones the earliest.
std::string commonest(const std::vector<std::string>& reasons) {
  std::size_t best = 0;
  std::ptrdiff_t best_count = 0;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const std::ptrdiff_t count = std::count(reasons.begin(), reasons.end(), reasons[i]);
    if (count > best_count) {
      best = i;
      best_count = count;
    }
  }
  return reasons[best];
}

// apply() has seen to it that every score speaks of all contributions, in log order.
Verdict judge_one(const RoundState& round, std::size_t position) {
  const Committed& contribution = round.contributions[position];
  Verdict verdict;
  verdict.contribution = contribution.place.id;
  verdict.author = contribution.author;
  std::vector<std::int64_t> gains;
  std::vector<std::string> reasons;
  for (const Scored& scored : round.scores) {
    const ScoreEntry& entry = scored.act.entries[position];
    if (entry.verdict != kVerdictOk) {
      reasons.push_back(entry.verdict);
      continue;
    }
    if (gains.empty()) {
      verdict.squared_norm = entry.squared_norm;
      verdict.norm_exponent = entry.norm_exponent;
    }
    gains.push_back(entry.gain_nanos);
  }
  const std::size_t least = HARAMBEE_MUTANT("one-ok-is-enough") ? 0 : round.scores.size() / 2;
  if (gains.size() <= least) {
    verdict.reason = reasons.empty() ? "nobody has scored it" : commonest(reasons);
    return verdict;
  }
  verdict.gain_nanos = lower_median(std::move(gains));
  verdict.accepted = *verdict.gain_nanos > 0 || HARAMBEE_MUTANT("any-gain");
  if (!verdict.accepted) verdict.reason = "gain " + Decimal{*verdict.gain_nanos}.str();
  return verdict;
}

// Who shares a vote with whom, and how much each may count.
void give_votes(const RunState& run, Judgement& judgement) {
  std::vector<Verdict>& verdicts = judgement.verdicts;
  std::vector<std::size_t> accepted;
  std::vector<std::size_t> well_formed;
  std::vector<KeyId> authors;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    verdicts[i].group = i;
    if (verdicts[i].gain_nanos) well_formed.push_back(i);
    if (!verdicts[i].accepted) continue;
    accepted.push_back(i);
    authors.push_back(verdicts[i].author);
  }
  const std::vector<std::uint32_t> groups = groups_of(run.round, accepted);
  const std::vector<std::uint32_t> caps = standing_caps(run, authors, groups);
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    verdicts[accepted[i]].group = accepted[groups[i]];
    verdicts[accepted[i]].standing = caps[i];
  }
  judgement.possible = possible_votes(run, well_formed);
}

}  // namespace

Judgement derive(const RunState& run) {
  const RoundState& round = run.round;
  Judgement judgement;
  for (std::size_t i = 0; i < round.contributions.size(); ++i) {
    judgement.verdicts.push_back(judge_one(round, i));
    const Verdict& verdict = judgement.verdicts.back();
    if (verdict.accepted) judgement.accepted.push_back(verdict.contribution);
  }
  give_votes(run, judgement);
  const std::size_t rejected = judgement.verdicts.size() - judgement.accepted.size();
  judgement.mostly_rejected = rejected * 2 > judgement.verdicts.size();
  std::vector<std::int64_t> losses;
  for (const Scored& scored : round.scores) losses.push_back(scored.act.loss_nanos);
  if (!losses.empty()) judgement.loss_nanos = lower_median(std::move(losses));
  return judgement;
}

}  // namespace harambee::fold

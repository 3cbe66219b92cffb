#include "fold/judge.h"

#include <algorithm>
#include <span>

#include "base/check.h"
#include "base/decimal.h"
#include "base/mutant.h"
#include "fold/own_data.h"
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

// The verdict on measured gains (spec/run.md §6): nobody may harm a guarded domain, and who serves
// one may cost everything less than that domain gains. What is refused for a domain's sake alone
// keeps its counted gain above 0, and standing takes nothing from it (close_fold.cpp).
void decide(const RunState& run, const std::string& domain, Verdict& verdict) {
  const std::int64_t gain = *verdict.gain_nanos;
  const std::int64_t guard = run.recipe.judge.guard.nanos;
  const std::span<const std::string> guarded = run.guarded();
  const std::vector<std::int64_t>& gains = verdict.domain_gains;
  verdict.counted_nanos = gain;
  const auto own = std::ranges::find(guarded, domain);
  if (gain <= 0 && gain >= -guard && own != guarded.end()) {
    const std::int64_t surplus = gains[static_cast<std::size_t>(own - guarded.begin())] + gain;
    if (surplus > 0 && !HARAMBEE_MUTANT("minority-refused")) verdict.counted_nanos = surplus;
  }
  const auto worst = std::ranges::min_element(gains);
  if (worst != gains.end() && *worst < -guard && !HARAMBEE_MUTANT("domains-harmed")) {
    verdict.reason = "domain " + guarded[static_cast<std::size_t>(worst - gains.begin())] + " " +
                     Decimal{*worst}.str();
    return;
  }
  verdict.accepted = verdict.counted_nanos > 0 || HARAMBEE_MUTANT("any-gain");
  if (!verdict.accepted) verdict.reason = "gain " + Decimal{gain}.str();
}

std::vector<std::int64_t> domain_medians(const RunState& run, std::size_t position) {
  std::vector<std::int64_t> medians;
  for (std::size_t k = 0; k < run.guarded().size(); ++k) {
    std::vector<std::int64_t> gains;
    for (const Scored& scored : run.round.scores) {
      const ScoreEntry& entry = scored.act.entries[position];
      if (entry.verdict == kVerdictOk) gains.push_back(entry.domain_gains[k]);
    }
    medians.push_back(lower_median(std::move(gains)));
  }
  return medians;
}

// What seems to be no work on the author's own rows counts nothing while that lasts.
void pass_over_idle(const RunState& run, Verdict& verdict) {
  const OwnRecord& record = run.members.at(verdict.author).own;
  if (!verdict.accepted || !record.idle || run.recipe.judge.own_rounds == 0) return;
  if (HARAMBEE_MUTANT("idle-earns")) return;
  verdict.accepted = false;
  verdict.idle = true;
  verdict.reason = own_reason(record);
}

// apply() has seen to it that every score speaks of all contributions, in log order.
Verdict judge_one(const RunState& run, std::size_t position) {
  const RoundState& round = run.round;
  const Committed& contribution = round.contributions[position];
  Verdict verdict;
  verdict.contribution = contribution.place.id;
  verdict.author = contribution.author;
  std::vector<std::int64_t> gains;
  std::vector<std::string> reasons;
  std::vector<const ScoreEntry*> evaluated;
  for (const Scored& scored : round.scores) {
    const ScoreEntry& entry = scored.act.entries[position];
    if (entry.verdict != kVerdictOk) {
      reasons.push_back(entry.verdict);
      continue;
    }
    evaluated.push_back(&entry);
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
  verdict.well_formed = true;
  if (!run.recipe.gated()) {
    verdict.accepted = !HARAMBEE_MUTANT("untried-refused");
    verdict.counted_nanos = 0;
    return verdict;
  }
  verdict.gain_nanos = lower_median(std::move(gains));
  verdict.domain_gains = domain_medians(run, position);
  verdict.own_nanos = own_median(evaluated);
  decide(run, contribution.act.domain, verdict);
  pass_over_idle(run, verdict);
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
    if (verdicts[i].well_formed && !verdicts[i].idle) well_formed.push_back(i);
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
    judgement.verdicts.push_back(judge_one(run, i));
    const Verdict& verdict = judgement.verdicts.back();
    if (verdict.accepted) judgement.accepted.push_back(verdict.contribution);
  }
  give_votes(run, judgement);
  const auto rejected = std::ranges::count_if(judgement.verdicts, [](const Verdict& verdict) {
    return !verdict.accepted && !verdict.idle;
  });
  judgement.mostly_rejected = static_cast<std::size_t>(rejected) * 2 > judgement.verdicts.size();
  judgement.loss_nanos = reported_loss(round);
  return judgement;
}

std::optional<std::int64_t> reported_loss(const RoundState& round) {
  std::vector<std::int64_t> losses;
  for (const Scored& scored : round.scores) {
    if (scored.act.loss_nanos) losses.push_back(*scored.act.loss_nanos);
  }
  if (losses.empty()) return std::nullopt;
  return lower_median(std::move(losses));
}

}  // namespace harambee::fold

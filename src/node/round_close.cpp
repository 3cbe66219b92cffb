#include "node/round_close.h"

#include "fold/acts.h"
#include "node/round_math.h"

namespace harambee::node {
namespace {

Finding read_one(const RoundContext& context, const exact::Codec& codec, const Revealed& one) {
  Finding finding;
  if (one.foreign_domain) {
    finding.verdict = malformed_verdict("another domain than its shards'");
    return finding;
  }
  if (one.ref.size > delta_bytes_max(context.parameters)) {
    finding.verdict = malformed_verdict("the blob is too large");
    return finding;
  }
  if (!one.bytes) {
    finding.verdict = fold::kVerdictWithheld;
    return finding;
  }
  Result<exact::Delta> delta =
      exact::Delta::parse(*one.bytes, context.parameters, codec, {context.base, one.author});
  if (delta) {
    finding.verdict = fold::kVerdictOk;
    finding.delta = *std::move(delta);
  } else {
    finding.verdict = malformed_verdict(delta.error().message);
  }
  return finding;
}

void judge_norms(const exact::RobustRule& rule, std::vector<Finding>& findings) {
  std::vector<exact::SquaredNorm> norms;
  for (const Finding& finding : findings) {
    if (finding.delta) norms.push_back(finding.delta->squared_norm());
  }
  const std::vector<std::string> verdicts = exact::norm_verdicts(norms, rule.norm_max);
  std::size_t next = 0;
  for (Finding& finding : findings) {
    if (!finding.delta) continue;
    if (const std::string& verdict = verdicts[next++]; !verdict.empty()) finding.verdict = verdict;
  }
}

Status find_groups(const exact::RobustRule& rule, const Digest& seed,
                   std::vector<Finding>& findings) {
  std::vector<exact::Delta> deltas;
  std::vector<std::size_t> position;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    findings[i].group = static_cast<std::int64_t>(i);
    if (findings[i].verdict != fold::kVerdictOk) continue;
    deltas.push_back(*findings[i].delta);
    position.push_back(i);
  }
  if (deltas.empty()) return ok();
  const Result<std::vector<std::uint32_t>> groups = exact::find_groups(rule, deltas, seed);
  if (!groups) return groups.error();
  for (std::size_t i = 0; i < position.size(); ++i) {
    findings[position[i]].group = static_cast<std::int64_t>(position[(*groups)[i]]);
  }
  return ok();
}

}  // namespace

exact::RobustRule robust_rule_of(const fold::JudgeRule& judge) {
  exact::RobustRule rule;
  switch (judge.aggregate) {
    case fold::AggregateRule::mean:
      rule.kind = exact::RobustRule::Kind::mean;
      break;
    case fold::AggregateRule::clip:
      rule.kind = exact::RobustRule::Kind::clip;
      break;
    case fold::AggregateRule::centered:
      rule.kind = exact::RobustRule::Kind::centered;
      break;
    case fold::AggregateRule::neighbours:
      rule.kind = exact::RobustRule::Kind::neighbours;
      break;
    case fold::AggregateRule::krum:
      rule.kind = exact::RobustRule::Kind::krum;
      break;
  }
  rule.iterations = static_cast<int>(judge.centered_iterations);
  rule.norm_max = judge.norm_max;
  rule.faulty = judge.faulty;
  // Off is 1 in a recipe (no cosine is above it) and 0 there; only 0 saves the work.
  const bool shared = judge.similar < Decimal{1'000'000'000};
  rule.similar = shared ? judge.similar : Decimal{0};
  rule.sample = judge.sample;
  rule.step_max = judge.step_max;
  return rule;
}

Result<std::vector<Finding>> examine(const RoundContext& context,
                                     std::span<const Revealed> revealed) {
  const Result<exact::Codec> codec = codec_of(context.recipe.codec);
  if (!codec) return codec.error();
  std::vector<Finding> findings;
  for (const Revealed& one : revealed) findings.push_back(read_one(context, *codec, one));
  const exact::RobustRule rule = robust_rule_of(context.recipe.judge);
  judge_norms(rule, findings);
  if (Status found = find_groups(rule, context.seed, findings); !found) return found.error();
  return findings;
}

Result<Bytes> close_round(const RoundContext& context, const Accepted& accepted,
                          const exact::Delta* previous, exact::RunNumbers& numbers) {
  const Result<exact::Codec> down = codec_of(context.recipe.down);
  if (!down) return down.error();
  const Result<exact::Weights> weights = exact::robust_weights(
      robust_rule_of(context.recipe.judge), {accepted.deltas, accepted.standing, accepted.group,
                                             previous, context.seed, accepted.possible});
  if (!weights) return weights.error();
  return exact::close_round(*down, context.recipe.outer_lr, context.base, accepted.deltas, *weights,
                            previous, numbers);
}

}  // namespace harambee::node

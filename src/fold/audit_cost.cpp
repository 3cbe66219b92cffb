#include "fold/audit_cost.h"

#include <algorithm>

#include "fold/audit.h"

namespace harambee::fold {

namespace {

constexpr std::int64_t kRateStep = 100'000;  // 10^-4 in 10^-9

// Links that an auditor trains for a member's k-th contribution.
std::int64_t links(std::int64_t k) { return k <= kChainLinksMax ? k : 1; }

// auditors · Σ rate(k) · c(k), in 10^-9.
std::int64_t repeated(const Recipe& recipe) {
  const JudgeRule& judge = recipe.judge;
  std::int64_t sum = 0;
  for (std::int64_t k = 1; k < recipe.rounds; ++k) {
    const Decimal rate = k <= judge.newcomer_rounds ? judge.audit_newcomer : judge.audit;
    sum += rate.nanos * links(k);
  }
  return sum * judge.auditors;
}
static_assert(kRoundsMax <= (std::int64_t{1} << 62) / 1'000'000'000 / 16 / kChainLinksMax,
              "no sum overflows");

Decimal scaled(Decimal rate, std::int64_t part, std::int64_t whole) {
  __extension__ using Wide = __int128;
  const auto nanos = static_cast<std::int64_t>(Wide{rate.nanos} * part / whole);
  return {nanos / kRateStep * kRateStep};
}

}  // namespace

Decimal audit_cost(const Recipe& recipe) {
  return {(repeated(recipe) + recipe.rounds - 1) / recipe.rounds};
}

Recipe with_affordable_audits(Recipe recipe) {
  const std::int64_t whole = repeated(recipe);
  const std::int64_t part = kAuditCostMax.nanos * recipe.rounds;
  if (whole <= part) return recipe;
  recipe.judge.audit = scaled(recipe.judge.audit, part, whole);
  recipe.judge.audit_newcomer = scaled(recipe.judge.audit_newcomer, part, whole);
  return recipe;
}

}  // namespace harambee::fold

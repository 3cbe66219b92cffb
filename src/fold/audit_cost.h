// What audits cost, and rates that a run of any length can afford (docs/audits.md).
#pragma once

#include <cstdint>

#include "base/decimal.h"
#include "fold/recipe.h"

namespace harambee::fold {

// Of all inner steps of a run, at most this part is for training again by default.
inline constexpr Decimal kAuditCostMax{100'000'000};

// The expected part of a member's inner steps that auditors repeat, if it contributes to every
// round of the run, each is accepted, and its states are one chain: `auditors` · Σ rate(k) · c(k) ÷
// rounds over its contributions k = 1 … rounds − 1 (those of the last round are not drawn); rate(k)
// is `audit_newcomer` up to `newcomer_rounds`, else `audit`, and c(k) = k links for k ≤ 4, else 1
// (spec/audit.md §3, §4). Rounded up to 10^-9. Linear in `rounds`.
[[nodiscard]] Decimal audit_cost(const Recipe& recipe);

// The recipe with `audit` and `audit_newcomer` made smaller by one factor, if need be, so that
// audit_cost() is no more than kAuditCostMax. Rounded down to 10^-4.
[[nodiscard]] Recipe with_affordable_audits(Recipe recipe);

}  // namespace harambee::fold

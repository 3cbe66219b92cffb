#include "fold/audit_cost.h"

#include <gtest/gtest.h>

namespace harambee::fold {
namespace {

Recipe of_rounds(std::int64_t rounds) {
  Recipe recipe = default_recipe();
  recipe.rounds = rounds;
  return recipe;
}

TEST(AuditCost, IsWhatDocsSay) {
  // 0.5 · (1 + 2 + 3), then 0.05 · (4 + 75); the last round's are not drawn.
  EXPECT_EQ(audit_cost(of_rounds(80)), Decimal{86'875'000});
  EXPECT_EQ(audit_cost(of_rounds(1)), Decimal{0});
  EXPECT_EQ(audit_cost(of_rounds(2)), Decimal{250'000'000});
}

TEST(AuditCost, IsNeverMoreThanATenthByDefault) {
  for (std::int64_t auditors : {1, 2, 16}) {
    for (std::int64_t newcomer_rounds : {0, 3, 500}) {
      for (std::int64_t rounds = 1; rounds <= 1000; ++rounds) {
        Recipe recipe = of_rounds(rounds);
        recipe.judge.auditors = auditors;
        recipe.judge.newcomer_rounds = newcomer_rounds;
        const Recipe affordable = with_affordable_audits(recipe);
        ASSERT_LE(audit_cost(affordable), kAuditCostMax) << rounds;
        ASSERT_TRUE(recipe_from_json(to_json(affordable)).ok());
        // Where it is made smaller, hardly anything of what is allowed is left.
        if (affordable == recipe) continue;
        ASSERT_GT(audit_cost(affordable), Decimal{90'000'000}) << rounds << " " << auditors;
      }
    }
  }
}

TEST(AuditCost, LongRunsKeepTheDefaultRates) {
  for (const std::int64_t rounds : {60, 61, 80, 1000, 1'000'000}) {
    EXPECT_EQ(with_affordable_audits(of_rounds(rounds)), of_rounds(rounds)) << rounds;
  }
  EXPECT_EQ(with_affordable_audits(of_rounds(34)).judge.audit_newcomer, Decimal{365'500'000});
}

TEST(AuditCost, NoAuditsCostNothing) {
  Recipe recipe = of_rounds(5);
  recipe.judge.auditors = 0;
  EXPECT_EQ(audit_cost(recipe), Decimal{0});
  EXPECT_EQ(with_affordable_audits(recipe), recipe);
}

}  // namespace
}  // namespace harambee::fold

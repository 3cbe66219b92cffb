// A validator that trains contributions of inexact classes again, by a program of its operator's.
#include <gtest/gtest.h>

#include <atomic>

#include "node/actors.h"

namespace harambee::node::testing {
namespace {

class AuditorTest : public RolesTest {};

// Starting a program may cost seconds, and a member decides when its states are to be had.
TEST_F(AuditorTest, AnAuditorsProgramIsNotStartedBeforeTheStatesAreThere) {
  fold::Recipe recipe = tiny_recipe();
  recipe.inner.steps = fold::kToleranceStepsMin;
  recipe.judge.auditors = 1;
  recipe.judge.audit = recipe.judge.audit_newcomer = Decimal{1'000'000'000};
  open_run(recipe);
  const std::string starts = folder_.path() + "/starts";
  Actor& validator = actor("validator");
  const std::size_t state_bytes = 4 * format::ModelLayout::make(recipe.model)->parameters();
  std::atomic<int> missing{5};
  validator.wire.after = [&](const WireRequest& request, WireResponse response) {
    const bool blob = DirectWire::path_of(request).starts_with("/blobs/");
    if (blob && response.body.size() == state_bytes && missing > 0) {
      --missing;
      response = WireResponse();
      response.status = 404;
    }
    return Result<WireResponse>(std::move(response));
  };
  std::vector<std::string> program = {"sh", "-c", "echo >> \"$0\"; exec \"$@\"", starts};
  for (const std::string& word : fake_trainer()) program.push_back(word);
  validator.auditor(program);
  actor("coordinator").coordinator();
  actor("ada").volunteer();
  actor("ben").volunteer();
  for (Actor& each : actors_) each.expect_success();
  std::size_t answers = 0;
  for (const fold::AuditCase& audit : run_state().audits) answers += audit.answers.size();
  EXPECT_EQ(missing, 0);
  EXPECT_GE(answers, 1u);
  EXPECT_EQ(store::read_file(starts, 1 << 10)->size(), 1 + answers) << "once more to see its class";
}

}  // namespace
}  // namespace harambee::node::testing

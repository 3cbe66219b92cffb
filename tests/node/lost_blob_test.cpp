// A hub that loses what it had taken, as one does that is put back to an older copy of itself and
// then to the newer one: whoever sent it sends it again while others wait for it.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "node/actors.h"

namespace harambee::node::testing {
namespace {

// How the sender comes to doubt.
enum class Sign { outage, time };

// One blob of one sender, lost once.
class Loss {
 public:
  // Watches what `sender` sends; the first blob of at least `bytes` is the one.
  Loss(TestHub& hub, Actor& sender, Sign sign, std::size_t bytes) : hub_(hub) {
    if (sign == Sign::time) sender.look_again_ms = 50;
    sender.wire.before = [this,
                          sign](const WireRequest& request) -> std::optional<Result<WireResponse>> {
      const bool asks = request.method == "GET" && DirectWire::path_of(request).starts_with("/log");
      if (sign == Sign::time || !asks || !lost_ || told_.exchange(true)) return std::nullopt;
      return fail(ErrorCode::unavailable, "the hub is away");
    };
    sender.wire.after = [this, bytes](const WireRequest& request,
                                      WireResponse response) -> Result<WireResponse> {
      if (request.method != "PUT" || response.status != 201) return response;
      const std::lock_guard lock(mutex_);
      const std::string path = DirectWire::path_of(request);
      if (path_.empty() && request.body.size() >= bytes) path_ = path;
      if (path == path_) ++sent_;
      sent_again_.notify_all();
      return response;
    };
  }
  // When `reader` asks for it first, the hub has it no more.
  void when_asked_by(Actor& reader) {
    reader.wire.before = [this](const WireRequest& request) -> std::optional<Result<WireResponse>> {
      const std::lock_guard lock(mutex_);
      const std::string path = DirectWire::path_of(request);
      if (path_.empty() || request.method != "GET" || path != path_ || lost_) return std::nullopt;
      const auto digest = Digest::from_hex(path.substr(path.rfind('/') + 1));
      EXPECT_TRUE(digest && hub_.blobs().remove(*digest).ok());
      lost_ = true;
      return std::nullopt;
    };
  }
  void wait_until_sent_again() {
    std::unique_lock lock(mutex_);
    sent_again_.wait(lock, [this] { return sent_ > 1; });
  }
  // The reader of a lost blob waits for it, so that there is no end without this.
  void expect_sent_again() const {
    EXPECT_TRUE(lost_);
    EXPECT_EQ(sent_, 2);
  }

 private:
  TestHub& hub_;
  std::mutex mutex_;
  std::string path_;
  int sent_ = 0;
  std::condition_variable sent_again_;
  std::atomic<bool> lost_ = false;
  std::atomic<bool> told_ = false;
};

// Nobody is too slow to reveal a blob: what is not revealed is not waited for.
fold::Recipe patient_recipe() {
  fold::Recipe recipe = tiny_recipe();
  recipe.checkpoint_every = 3;
  recipe.reveal_ms = 60'000;
  return recipe;
}

class LostBlob : public RolesTest, public ::testing::WithParamInterface<Sign> {
 protected:
  void train(Actor& coordinator, Actor& ada) {
    coordinator.coordinator();
    actor("validator").validator();
    ada.volunteer();
    actor("ben").volunteer();
    finish();
  }
  void finish() {
    for (Actor& each : actors_) each.expect_success();
    EXPECT_EQ(run_state().phase, fold::Phase::finished);
  }
};

TEST_P(LostBlob, OfAContributionThatIsBeingAddedUp) {
  open_run(patient_recipe());
  Actor& coordinator = actor("coordinator");
  Actor& ada = actor("ada");
  Loss loss(hub_, ada, GetParam(), 0);
  loss.when_asked_by(coordinator);  // validators have scored it then
  train(coordinator, ada);
  loss.expect_sent_again();
}

TEST_P(LostBlob, OfAnUpdateThatEverybodyWaitsFor) {
  open_run(patient_recipe());
  Actor& coordinator = actor("coordinator");
  Actor& ada = actor("ada");
  Loss loss(hub_, coordinator, GetParam(), 0);
  loss.when_asked_by(ada);
  train(coordinator, ada);
  loss.expect_sent_again();
}

// The states are of an inexact class, which reveals them always.
TEST_P(LostBlob, OfAStateThatAnAuditAsksFor) {
  fold::Recipe recipe = patient_recipe();
  recipe.inner.steps = fold::kToleranceStepsMin;
  recipe.judge.auditors = 1;
  recipe.judge.audit = recipe.judge.audit_newcomer = {1'000'000'000};
  open_run(recipe);
  Actor& validator = actor("validator");
  Actor& ada = actor("ada");
  const auto layout = format::ModelLayout::make(recipe.model);
  Loss loss(hub_, ada, GetParam(), 4 * layout->parameters());
  loss.when_asked_by(validator);
  validator.auditor(fake_trainer());
  Actor& coordinator = actor("coordinator");
  coordinator.start([&coordinator] {
    CoordinatorOptions options{coordinator.role(), {.every = 0}};
    options.role.rounds_max = 2;
    return run_coordinator(options, coordinator.wire, coordinator.clock, {});
  });
  ada.volunteer();
  actor("ben").volunteer();
  loss.wait_until_sent_again();
  coordinator.join();
  actor("coordinator").coordinator();  // nobody leaves before
  finish();
  loss.expect_sent_again();
  for (const fold::AuditCase& audit : run_state().audits) {
    EXPECT_NE(audit.end, fold::AuditEnd::withheld);
  }
}

INSTANTIATE_TEST_SUITE_P(Signs, LostBlob, ::testing::Values(Sign::outage, Sign::time),
                         [](const auto& info) {
                           return info.param == Sign::outage ? "AfterAnOutage" : "AfterAWhile";
                         });

}  // namespace
}  // namespace harambee::node::testing

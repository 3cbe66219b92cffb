// Contributions of an inexact class, trained again by a program that may be well or not.
#include "node/repeat_near.h"

#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <map>

#include "exact/outer_step.h"
#include "fold/assignment.h"
#include "node/audit_trainer.h"
#include "node/round_math.h"
#include "node/world.h"
#include "store/file.h"

namespace harambee::node::testing {
namespace {

using fold::AuditResult;
using ::testing::HasSubstr;

// One closed round with one contribution, made as fake_trainer.py trains.
class RepeatNearTest : public ::testing::Test {
 protected:
  RepeatNearTest() : layout_(*format::ModelLayout::make(tiny_recipe().model)) {
    run_.recipe = tiny_recipe();
    run_.id = sha256(view("run"));
    base_.assign(layout_.parameters(), 0.01F);
    fold::Member member;
    member.key = author_;
    run_.members.add(member);
    write("shard", Bytes(1000, 'a'));
  }
  std::string path(const std::string& name) { return folder_.path() + "/" + name; }
  void write(const std::string& name, View bytes) {
    EXPECT_TRUE(store::write_file_atomic(path(name), bytes).ok());
  }
  BlobRef keep(Bytes bytes, std::string_view type) {
    const BlobRef ref{sha256(bytes), bytes.size(), std::string(type)};
    blobs_[ref.digest] = std::move(bytes);
    return ref;
  }
  static Bytes bytes_of(const std::vector<float>& values) {
    Bytes bytes(4 * values.size());
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }

  TrainerOptions options(const std::string& name, const std::string& mode = "good") {
    TrainerOptions made;
    made.argv = fake_trainer(mode);
    made.dir = path(name);
    return made;
  }

  // What an honest author trains in round 0 from these weights.
  std::vector<float> trained() {
    const Bytes file = format::weights_file(layout_, base_);
    write("author.base", file);
    TrainerProcess trainer(options("author"), run_.recipe.model);
    TrainRequest request;
    request.base = path("author.base");
    request.shards = {path("shard")};
    request.seed = fold::inner_seed(run_.id, 0, author_);
    request.total_steps = run_.recipe.total_steps();
    request.inner = run_.recipe.inner;
    request.out = path("author.out");
    request.state_out = path("author.state");
    EXPECT_TRUE(trainer.train(request, {}).ok());
    const Bytes out = *store::read_file(path("author.out"), 1 << 24);
    const auto flat = format::flat_weights(layout_, out);
    return {flat->begin(), flat->end()};
  }

  // Of an author that sends `factor` times what it trained.
  void contribute(float factor = 1) {
    std::vector<float> weights = trained();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = base_[i] + factor * (weights[i] - base_[i]);
    }
    std::vector<float> residual(base_.size(), 0.0F);
    const Digest base = sha256(format::weights_file(layout_, base_));
    const Bytes blob = *encode_contribution(*codec_of(run_.recipe.codec), {base, author_}, base_,
                                            weights, residual);
    fold::ClosedContribution one;
    one.place.id = sha256(view("contribution"));
    one.author = author_;
    one.accepted = true;
    one.numeric_class = "fake-1";
    one.delta = keep(blob, fold::kDeltaType);
    after_ = residual;
    states_ = {keep(bytes_of(residual), fold::kErrorFeedbackType)};
    one.error_feedback.after = states_.front().digest;
    fold::ClosedRound closed;
    closed.base = base;
    closed.contributions = {one};
    run_.history = {closed};
  }
  fold::ClosedContribution& one() { return run_.history[0].contributions[0]; }
  // The author has committed to this instead.
  void commit_after(Bytes bytes) {
    states_ = {keep(std::move(bytes), fold::kErrorFeedbackType)};
    one().error_feedback.after = states_.front().digest;
  }

  // The author says that its training went on from this.
  void go_on_from(std::string_view optimizer) {
    states_ = {keep(to_bytes(optimizer), fold::kOptimizerType), states_.back()};
    one().optimizer.before = states_.front().digest;
  }

  Result<fold::Audit> repeat(const std::string& mode, std::int64_t stall_ms = 20'000) {
    TrainerOptions made = options("auditor", mode);
    made.stall_ms = stall_ms;
    TrainerProcess trainer(std::move(made), run_.recipe.model);
    const RepeatWorld world{trainer,
                            layout_,
                            [this](const BlobRef& ref) -> Result<Content> {
                              const auto it = blobs_.find(ref.digest);
                              if (it == blobs_.end())
                                return fail(ErrorCode::not_found, "no such blob");
                              return Content(it->second);
                            },
                            [this](std::int64_t) -> Result<std::vector<float>> { return base_; },
                            [this](const KeyId&) -> Result<std::vector<std::filesystem::path>> {
                              return std::vector<std::filesystem::path>{path("shard")};
                            },
                            folder_.path(),
                            {}};
    return repeat_nearly(run_, 0, one().place.id, states_, world);
  }
  void expect(AuditResult result) {
    const Result<fold::Audit> found = repeat("good");
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found->result, result);
    EXPECT_EQ(found->contribution, one().place.id);
    ASSERT_TRUE(found->cosine && found->distance);
    EXPECT_FALSE(found->made);
    EXPECT_TRUE(fold::parse_audit(fold::write(*found)).ok());
  }

  TemporaryFolder folder_;
  format::ModelLayout layout_;
  fold::RunState run_;
  KeyId author_ = sha256(view("author"));
  std::vector<float> base_;
  std::vector<float> after_;
  std::map<Digest, Bytes> blobs_;
  std::vector<BlobRef> states_;
};

TEST_F(RepeatNearTest, HonestWorkIsNear) {
  contribute();
  expect(AuditResult::near);
}

TEST_F(RepeatNearTest, OtherWorkIsFar) {
  for (const float factor : {-1.0F, 0.5F, 1.5F}) {
    contribute(factor);
    expect(AuditResult::far);
  }
}

// Its states add up to the honest gradient, and what it sent is the opposite.
TEST_F(RepeatNearTest, WhatIsHiddenInTheErrorFeedbackIsFar) {
  contribute();
  std::vector<float> sent = base_;
  const std::vector<float> goal = trained();
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = goal[i];
  std::vector<float> residual(base_.size(), 0.0F);
  const Bytes opposite = *encode_contribution(
      *codec_of(run_.recipe.codec), {run_.history[0].base, author_}, sent, base_, residual);
  // residual = −g − sent; the author says g − sent.
  for (std::size_t i = 0; i < residual.size(); ++i) residual[i] += 2 * (base_[i] - goal[i]);
  one().delta = keep(opposite, fold::kDeltaType);
  commit_after(bytes_of(residual));
  expect(AuditResult::far);
}

TEST_F(RepeatNearTest, StatesThatNoTrainingGivesAreFar) {
  contribute();
  commit_after(to_bytes("this is no vector"));
  expect(AuditResult::far);
  std::vector<float> spoilt = after_;
  spoilt[3] = std::numeric_limits<float>::quiet_NaN();
  commit_after(bytes_of(spoilt));
  expect(AuditResult::far);
}

TEST_F(RepeatNearTest, WhatCannotBeHadIsNotFound) {
  contribute();
  blobs_.erase(states_.front().digest);
  EXPECT_EQ(repeat("good").error().code, ErrorCode::not_found);
  contribute();
  states_.clear();
  EXPECT_EQ(repeat("good").error().code, ErrorCode::not_found);
  contribute();
  states_.front().size = std::uint64_t{1} << 50;
  EXPECT_EQ(repeat("good").error().code, ErrorCode::not_found);
  // A delta that is gone is not the author's doing.
  contribute();
  blobs_.erase(one().delta.digest);
  EXPECT_EQ(repeat("good").error().code, ErrorCode::unavailable);
}

// Whatever an auditor's own program does: it accuses nobody, of honest work or of other.
TEST_F(RepeatNearTest, ATrainerThatIsNotWellAccusesNobody) {
  for (const float factor : {1.0F, 0.5F}) {
    contribute(factor);
    for (const char* mode : {"crash", "garbage", "nan", "shape", "nofile", "badstate", "tokens",
                             "exit", "restless", "idle"}) {
      const Result<fold::Audit> found = repeat(mode);
      EXPECT_FALSE(found.ok()) << mode;
      if (found.ok()) continue;
      EXPECT_NE(found.error().code, ErrorCode::not_found) << mode << found.error().message;
    }
  }
  EXPECT_FALSE(repeat("hang", 500).ok());
}

// What the class's program refuses, twice, was no state of its: the link is trained afresh, and who
// did the work is near that, and who did not is not.
TEST_F(RepeatNearTest, AStateThatTheClassDoesNotHaveHidesNothing) {
  contribute();
  go_on_from("fake state of mine");
  expect(AuditResult::near);
  go_on_from("another program's state");
  expect(AuditResult::near);
  contribute(0.5F);
  go_on_from("another program's state");
  expect(AuditResult::far);
}

TEST_F(RepeatNearTest, AProgramThatIsNotWellWithAStateAccusesNobody) {
  contribute(0.5F);
  go_on_from("another program's state");
  for (const char* mode : {"brittle", "crash", "garbage", "nan", "shape", "nofile", "badstate",
                           "tokens", "exit", "restless", "idle"}) {
    EXPECT_FALSE(repeat(mode).ok()) << mode;
  }
}

TEST_F(RepeatNearTest, AProgramOfAnotherClassIsRefusedWithBothNames) {
  const TrainerOptions made = options("auditor");
  const auto other = start_audit_trainer({"torch-2", fake_trainer()}, made, run_.recipe.model);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::invalid);
  EXPECT_THAT(other.error().message, ::testing::AllOf(HasSubstr("torch-2"), HasSubstr("fake-1")));
  EXPECT_TRUE(start_audit_trainer({"fake-1", fake_trainer()}, made, run_.recipe.model).ok());
  EXPECT_FALSE(start_audit_trainer({"fake-1", {"/nowhere"}}, made, run_.recipe.model).ok());
}

}  // namespace
}  // namespace harambee::node::testing

// Uploads that nobody commits: how long they stay, what they count, and what a crash leaves.
#include "hub/uncommitted.h"

#include <gtest/gtest.h>

#include <optional>

#include "store/memory_blobs.h"
#include "store/memory_uploads.h"

namespace harambee::hub {
namespace {

constexpr std::int64_t kWeek = UncommittedLimits{}.kept_ms;

// The real one, until it is told to fail: as a process that dies there.
class FailingLedger : public UploadLedger {
 public:
  explicit FailingLedger(UploadLedger& real) : real_(real) {}
  Status note(std::span<const NotedUpload> uploads) override {
    return fails ? broken() : real_.note(uploads);
  }
  Status forget(std::span<const std::pair<KeyId, Digest>> uploads) override {
    return fails ? broken() : real_.forget(uploads);
  }
  Result<std::vector<NotedUpload>> all() override {
    if (fails) return broken().error();
    return real_.all();
  }
  bool fails = false;

 private:
  static Status broken() { return fail(ErrorCode::io, "the disk is gone"); }
  UploadLedger& real_;
};

class UncommittedTest : public testing::Test {
 protected:
  void start(UncommittedLimits limits = {}) { uploads_.emplace(limits, ledger_, *blobs_); }
  void SetUp() override { start(); }

  bool take(const std::string& owner, const std::string& content, std::int64_t now_ms,
            std::uint64_t room = 100) {
    const auto taken =
        uploads_->take(sha256(view(owner)), sha256(view(content)), content.size(), room, now_ms);
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    EXPECT_TRUE(uploads_->keep().ok());
    return *taken;
  }
  void bring(const std::string& content) {
    ASSERT_TRUE(blobs_->put(sha256(view(content)), view(content)).ok());
  }
  bool has(const std::string& content) { return blobs_->has(sha256(view(content))); }
  void commit(const std::string& owner, const std::string& content) {
    const Digest digest = sha256(view(content));
    ASSERT_TRUE(uploads_->committed(sha256(view(owner)), {&digest, 1}).ok());
  }
  Result<std::size_t> try_sweep(std::int64_t now_ms, const std::set<std::string>& named = {}) {
    return uploads_->sweep(now_ms, [&](const std::set<Digest>& asked) {
      std::set<Digest> there;
      for (const std::string& content : named) {
        if (asked.contains(sha256(view(content)))) there.insert(sha256(view(content)));
      }
      return Result<std::set<Digest>>(there);
    });
  }
  std::size_t sweep(std::int64_t now_ms, const std::set<std::string>& named = {}) {
    const auto gone = try_sweep(now_ms, named);
    EXPECT_TRUE(gone.ok()) << gone.error().message;
    return gone.ok() ? *gone : 0;
  }
  std::size_t listed() { return real_->all()->size(); }

  std::unique_ptr<UploadLedger> real_ = store::make_memory_uploads();
  FailingLedger ledger_{*real_};
  std::unique_ptr<BlobShelf> blobs_ = store::make_memory_blobs();
  std::optional<Uncommitted> uploads_;
};

TEST_F(UncommittedTest, WhatNobodyCommitsGoesAfterAWeekAndNotBefore) {
  ASSERT_TRUE(take("alice", "weights", 1'000));
  bring("weights");
  start();  // again, with what is on disk
  EXPECT_EQ(sweep(1'000 + kWeek), 0u);
  EXPECT_TRUE(has("weights"));
  EXPECT_EQ(sweep(1'001 + kWeek), 1u);
  EXPECT_FALSE(has("weights"));
  EXPECT_EQ(listed(), 0u);
}

TEST_F(UncommittedTest, WhatTheLogNamesStays) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  EXPECT_EQ(sweep(kWeek + 1, {"weights"}), 0u);
  EXPECT_TRUE(has("weights"));
  EXPECT_EQ(listed(), 0u);  // and is no upload any more
}

TEST_F(UncommittedTest, WhatWasCommittedIsNeverLookedAtAgain) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  commit("alice", "weights");
  start();
  EXPECT_EQ(sweep(10 * kWeek), 0u);
  EXPECT_TRUE(has("weights"));
}

TEST_F(UncommittedTest, AnotherOwnersFreshUploadOfTheSameBytesKeepsThem) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  ASSERT_TRUE(take("bob", "weights", kWeek));
  EXPECT_EQ(sweep(kWeek + 1), 0u);
  EXPECT_TRUE(has("weights"));
  EXPECT_EQ(listed(), 1u);
  EXPECT_EQ(sweep(2 * kWeek + 1), 1u);
}

TEST_F(UncommittedTest, ACommitOnItsWayHoldsThem) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  start();
  const Digest digest = sha256(view("weights"));
  uploads_->hold({&digest, 1}, kWeek);
  EXPECT_EQ(sweep(kWeek + 1), 0u);
  EXPECT_TRUE(has("weights"));
}

TEST_F(UncommittedTest, TheQuotaIsKeptOverARestartAndGivenBackByACommit) {
  EXPECT_TRUE(take("alice", std::string(60, 'a'), 0));
  EXPECT_FALSE(take("alice", std::string(60, 'b'), 0));
  EXPECT_TRUE(take("alice", std::string(60, 'a'), 0));  // the same again costs nothing
  EXPECT_TRUE(take("bob", std::string(60, 'b'), 0));
  start();
  EXPECT_FALSE(take("alice", std::string(60, 'b'), 0));
  EXPECT_FALSE(take("alice", "x", 0, 59));  // the commits have grown
  commit("alice", std::string(60, 'a'));
  EXPECT_TRUE(take("alice", std::string(60, 'b'), 0));
  EXPECT_EQ(sweep(kWeek + 1), 0u);  // no bytes came: the notes go
  start();
  EXPECT_TRUE(take("alice", std::string(100, 'c'), 0));
}

TEST_F(UncommittedTest, ThereIsAnEndToTheList) {
  start({.uploads_max = 2});
  EXPECT_TRUE(take("alice", "a", 0));
  EXPECT_TRUE(take("bob", "b", 0));
  const auto third = uploads_->take(sha256(view("carol")), sha256(view("c")), 1, 100, 0);
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code, ErrorCode::limit);
  EXPECT_TRUE(take("alice", "a", 5));
}

// The bytes go first: whoever dies between leaves a note, and the next sweep makes it good.
TEST_F(UncommittedTest, ACrashWithinASweepIsMadeGood) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  ledger_.fails = true;
  start();
  EXPECT_FALSE(try_sweep(kWeek + 1).ok());  // nothing is known: nothing goes
  EXPECT_TRUE(has("weights"));
  ledger_.fails = false;
  start();
  ASSERT_EQ(sweep(0), 0u);  // reads the list
  ledger_.fails = true;
  EXPECT_FALSE(try_sweep(kWeek + 1).ok());
  EXPECT_FALSE(has("weights"));
  EXPECT_EQ(listed(), 1u);
  ledger_.fails = false;
  start();
  EXPECT_EQ(sweep(kWeek + 1), 0u);
  EXPECT_EQ(listed(), 0u);
}

// A commit that was logged, and a process that died before it forgot the upload.
TEST_F(UncommittedTest, ACrashAfterACommitLosesNothing) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  ledger_.fails = true;
  const Digest digest = sha256(view("weights"));
  EXPECT_FALSE(uploads_->committed(sha256(view("alice")), {&digest, 1}).ok());
  ledger_.fails = false;
  start();
  EXPECT_EQ(sweep(kWeek + 1, {"weights"}), 0u);
  EXPECT_TRUE(has("weights"));
}

TEST_F(UncommittedTest, NothingGoesWhileItIsNotKnownWhatTheLogNames) {
  ASSERT_TRUE(take("alice", "weights", 0));
  bring("weights");
  const auto unknown = [](const std::set<Digest>&) {
    return Result<std::set<Digest>>(fail(ErrorCode::unavailable, "a manifest cannot be read"));
  };
  EXPECT_FALSE(uploads_->sweep(kWeek + 1, unknown).ok());
  EXPECT_TRUE(has("weights"));
  EXPECT_EQ(listed(), 1u);
}

}  // namespace
}  // namespace harambee::hub

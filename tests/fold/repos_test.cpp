#include "fold/repos.h"

#include "format/tree.h"
#include "tests/fold/log_builder.h"

namespace harambee::fold {
namespace {

using testing::LogBuilder;

// A log whose records of repositories are folded as they are said.
class ReposTest : public ::testing::Test {
 protected:
  // The reason why the record changed nothing; empty if it did.
  std::string say(const std::string& who, Payload payload) {
    log.tick(1'000'000 + 1000 * static_cast<std::int64_t>(log.entries.size()));
    // For the runs' fold it is of no consequence.
    EXPECT_EQ(log.say(who, payload).effect, Effect::applied);
    const auto record = parse_envelope(log.entries.back());
    return apply(repos, {log.entries.size() - 1, record->id()}, log.state.now_ms(),
                 record->payload())
        .reason;
  }
  std::string grant(const std::string& who, const std::string& token, const std::string& space) {
    return say(who, write(GrantToken{log.key(token).public_key(), "laptop", space}));
  }
  std::string make(const std::string& who, const std::string& id) {
    return say(who, write(MakeRepo{id, RepoType::model}));
  }
  std::string revise(const std::string& who, const std::string& id,
                     std::optional<RecordId> parent = std::nullopt) {
    Revise act;
    act.id = id;
    act.parent = parent;
    act.title = "Über";
    act.new_bytes = 100;
    act.tree = testing::blob("tree", format::kTreeType);
    return say(who, write(act));
  }

  LogBuilder log;
  Repos repos;
};

TEST_F(ReposTest, ATokenWritesForItsOwner) {
  EXPECT_EQ(grant("alice", "alice's token", "alice"), "");
  EXPECT_EQ(make("alice's token", "alice/bert"), "");
  EXPECT_EQ(revise("alice's token", "alice/bert"), "");
  EXPECT_EQ(revise("alice", "alice/bert", log.last), "");
  const Repo* repo = repos.find(RepoType::model, "alice/bert");
  ASSERT_NE(repo, nullptr);
  EXPECT_EQ(repo->owner, log.id("alice"));
  ASSERT_EQ(repo->revisions.size(), 2u);
  EXPECT_EQ(repo->revisions[0].author, log.id("alice's token"));
  EXPECT_EQ(repos.owners.at(log.id("alice")).bytes, 200);
}

TEST_F(ReposTest, ANamespaceIsTheFirstOnesWhoTookIt) {
  EXPECT_EQ(grant("alice", "t1", "alice"), "");
  EXPECT_EQ(grant("bob", "t2", "alice"), "the namespace alice is another's");
  EXPECT_EQ(grant("bob", "t2", "runs"), "the namespace runs is reserved");
  EXPECT_EQ(grant("alice", "t3", "other"), "the author's namespace is alice");
  EXPECT_EQ(make("bob", "alice/x"), "the namespace alice is not the author's");
  EXPECT_EQ(make("alice", "bob/x"), "the namespace bob is not the author's");
}

TEST_F(ReposTest, ARevokedTokenWritesNothing) {
  grant("alice", "t", "alice");
  make("t", "alice/x");
  EXPECT_EQ(say("bob", write(RevokeToken{log.id("t")})), "the author has no such token");
  EXPECT_EQ(say("t", write(RevokeToken{log.id("t")})), "the author has no such token");
  EXPECT_EQ(say("alice", write(RevokeToken{log.id("t")})), "");
  EXPECT_EQ(revise("t", "alice/x"), "the token is revoked");
  EXPECT_EQ(revise("alice", "alice/x"), "");
  EXPECT_EQ(grant("alice", "t", "alice"), "this key is a token already");
}

TEST_F(ReposTest, ATokenMakesNoTokens) {
  grant("alice", "t", "alice");
  EXPECT_EQ(grant("t", "t2", "alice"), "a token cannot make tokens");
  EXPECT_EQ(grant("bob", "alice", "bob"), "this key is an owner");
  EXPECT_EQ(grant("bob", "bob", "bob"), "this key is an owner");
}

TEST_F(ReposTest, ARevisionFollowsTheHead) {
  grant("alice", "t", "alice");
  make("t", "alice/x");
  EXPECT_EQ(make("t", "alice/x"), "alice/x is there already");
  EXPECT_EQ(revise("t", "alice/y"), "there is no repository alice/y");
  EXPECT_EQ(revise("t", "alice/x"), "");
  EXPECT_EQ(revise("t", "alice/x"), "parent: the repository has another head");
  EXPECT_EQ(revise("t", "alice/x", testing::digest_of("else")),
            "parent: the repository has another head");
}

TEST_F(ReposTest, RefusesMalformedRecords) {
  grant("alice", "t", "alice");
  Payload payload = write(MakeRepo{"alice/x", RepoType::model});
  payload.body = JsonObject{{"name", "alice/../x"}, {"type", "model"}};
  EXPECT_NE(say("alice", payload), "");
  payload.body = JsonObject{{"name", "alice/x"}, {"type", "space"}};
  EXPECT_NE(say("alice", payload), "");
  Revise act;
  act.id = "alice/x";
  act.tree = testing::blob("tree", "text/plain");
  EXPECT_EQ(say("alice", write(act)), "blobs[0]: must be a tree manifest");
  EXPECT_TRUE(repos.repos.empty());
}

TEST_F(ReposTest, NamesAreHuggingFaces) {
  for (const char* good : {"a", "bert-base", "A.b_c-9"}) EXPECT_TRUE(is_repo_name(good)) << good;
  for (const char* bad : {"", "-a", "a-", ".a", "a..b", "a--b", "a.git", "a/b", "é"}) {
    EXPECT_FALSE(is_repo_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace harambee::fold

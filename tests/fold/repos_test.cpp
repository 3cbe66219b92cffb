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
                     std::optional<RecordId> parent = std::nullopt,
                     const std::string& branch = "main") {
    Revise act;
    act.id = id;
    act.branch = branch;
    act.parent = parent;
    act.title = "Über";
    act.new_bytes = 100;
    act.tree = testing::blob("tree", format::kTreeType);
    return say(who, write(act));
  }

  std::string ref(const std::string& who, RefKind kind, const std::string& name,
                  std::optional<RecordId> from, std::optional<RecordId> to) {
    return say(who, write(SetRef{"alice/x", RepoType::model, kind, name, from, to}));
  }
  std::string drop(const std::string& who, const RecordId& made) {
    return say(who, write(DropRepo{"alice/x", RepoType::model, made}));
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

TEST_F(ReposTest, ABranchGoesItsOwnWay) {
  grant("alice", "t", "alice");
  make("t", "alice/x");
  const RecordId made = log.last;
  revise("t", "alice/x");
  const RecordId first = log.last;
  EXPECT_EQ(ref("t", RefKind::branch, "dev", std::nullopt, first), "");
  EXPECT_EQ(ref("t", RefKind::branch, "dev", std::nullopt, first), "dev is there already");
  EXPECT_EQ(ref("t", RefKind::branch, "main", std::nullopt, first), "main is always there");
  EXPECT_EQ(ref("t", RefKind::branch, "x", std::nullopt, testing::digest_of("else")),
            "to: the repository has no such commit");
  EXPECT_EQ(revise("t", "alice/x", first, "dev"), "");
  const RecordId on_dev = log.last;
  EXPECT_EQ(revise("t", "alice/x", first), "");  // main stands where it stood
  const RecordId on_main = log.last;
  EXPECT_EQ(revise("t", "alice/x", on_main, "dev"), "parent: the repository has another head");
  EXPECT_EQ(revise("t", "alice/x", on_main, "nope"), "there is no branch nope");
  const Repo& repo = *repos.find(RepoType::model, "alice/x");
  EXPECT_EQ(repo.branches.at("dev"), on_dev);
  EXPECT_EQ(repo.branches.at("main"), on_main);
  EXPECT_EQ(repo.revisions[0].parent, made);
  EXPECT_EQ(repo.revisions[1].parent, first);
  EXPECT_EQ(ref("t", RefKind::branch, "dev", first, std::nullopt), "dev is not there");
  EXPECT_EQ(ref("t", RefKind::branch, "dev", on_dev, std::nullopt), "");
  EXPECT_FALSE(repo.branches.contains("dev"));
  // From the empty beginning.
  EXPECT_EQ(ref("t", RefKind::branch, "empty", std::nullopt, made), "");
  EXPECT_EQ(revise("t", "alice/x", made, "empty"), "parent: the repository has another head");
  EXPECT_EQ(revise("t", "alice/x", std::nullopt, "empty"), "");
}

TEST_F(ReposTest, ATagStaysWhereItWasPut) {
  grant("alice", "t", "alice");
  make("t", "alice/x");
  revise("t", "alice/x");
  const RecordId first = log.last;
  EXPECT_EQ(ref("t", RefKind::tag, "v1", std::nullopt, first), "");
  EXPECT_EQ(revise("t", "alice/x", first), "");
  EXPECT_EQ(repos.find(RepoType::model, "alice/x")->tags.at("v1"), first);
  EXPECT_EQ(ref("t", RefKind::tag, "v1", std::nullopt, log.last), "v1 is there already");
  EXPECT_EQ(ref("bob", RefKind::tag, "v1", first, std::nullopt),
            "the namespace alice is not the author's");
  EXPECT_EQ(ref("t", RefKind::tag, "v1", first, std::nullopt), "");
  EXPECT_NE(ref("t", RefKind::tag, "v1", first, first), "");
  EXPECT_NE(ref("t", RefKind::tag, "v1", std::nullopt, std::nullopt), "");
  EXPECT_NE(ref("t", RefKind::tag, "refs/x", std::nullopt, first), "");
}

TEST_F(ReposTest, ADeletedRepositoryIsGone) {
  grant("alice", "t", "alice");
  make("t", "alice/x");
  const RecordId made = log.last;
  revise("t", "alice/x");
  EXPECT_EQ(drop("bob", made), "the namespace alice is not the author's");
  EXPECT_EQ(drop("t", testing::digest_of("else")), "made: the repository is another one");
  EXPECT_EQ(drop("t", made), "");
  EXPECT_EQ(repos.find(RepoType::model, "alice/x"), nullptr);
  EXPECT_EQ(repos.owners.at(log.id("alice")).bytes, 0);
  EXPECT_EQ(revise("t", "alice/x"), "there is no repository alice/x");
  EXPECT_EQ(make("t", "alice/x"), "");
  EXPECT_EQ(drop("t", made), "made: the repository is another one");
  EXPECT_EQ(repos.owners.at(log.id("alice")).repos, 1u);
}

TEST_F(ReposTest, OneStateHasOneHash) {
  const Digest empty = repos_hash(repos);
  grant("alice", "t", "alice");
  make("t", "alice/x");
  const Digest made = repos_hash(repos);
  EXPECT_NE(made, empty);
  EXPECT_NE(make("t", "alice/x"), "");
  EXPECT_EQ(repos_hash(repos), made);
  revise("t", "alice/x");
  const RecordId first = log.last;
  const Digest revised = repos_hash(repos);
  EXPECT_NE(revised, made);
  ref("t", RefKind::tag, "v1", std::nullopt, first);
  EXPECT_NE(repos_hash(repos), revised);
  ref("t", RefKind::tag, "v1", first, std::nullopt);
  EXPECT_EQ(repos_hash(repos), revised);
}

TEST_F(ReposTest, NamesOfRefsAreNoCommits) {
  for (const char* good : {"v1", "v1.0-rc", "feature/x_y", "main"}) {
    EXPECT_TRUE(is_ref_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("HEAD"), std::string("refs/heads/x"), std::string("a..b"),
        std::string("/a"), std::string("a/"), std::string("a//b"), std::string("-a"),
        std::string(".a"), std::string("a/.b"), std::string("a."), std::string("a b"),
        std::string("a%2f"), std::string(40, 'a'), std::string(64, '0'), std::string(129, 'x')}) {
    EXPECT_FALSE(is_ref_name(bad)) << bad;
  }
}

TEST_F(ReposTest, MainIsNotNamed) {
  grant("alice", "t", "alice");
  make("t", "alice/x");
  Revise act;
  act.id = "alice/x";
  act.tree = testing::blob("tree", format::kTreeType);
  EXPECT_EQ(write(act).body.find("branch"), nullptr);
  Payload payload = write(act);
  payload.body.object()->emplace("branch", "main");
  EXPECT_EQ(say("t", payload), "body.branch: must be left out for main");
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

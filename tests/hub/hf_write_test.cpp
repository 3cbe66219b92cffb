// What Hugging Face clients write: the requests of huggingface_hub 1.23, in its order.
#include <map>

#include "hub/hf_author.h"
#include "hub/hf_last_commit.h"
#include "hub/hf_requests.h"

namespace harambee::hub {
namespace {

using testing::HasSubstr;

class HfWriteTest : public HfAuthor {};

TEST_F(HfWriteTest, SaysWhoATokenIs) {
  const auto answer = get("/api/whoami-v2", with_token(token));
  EXPECT_EQ(answer.status, 200);
  const json me = json::parse(body(answer));
  EXPECT_EQ(me.at("name"), "alice");
  EXPECT_EQ(me.at("auth").at("accessToken").at("displayName"), "laptop");
  for (const std::string& wrong : {"hrb_" + std::string(64, '2'), std::string("hf_abc")}) {
    const auto no = get("/api/whoami-v2", with_token(wrong));
    EXPECT_EQ(no.status, 401);
    EXPECT_EQ(header(no, "X-Error-Message"), "Invalid credentials in Authorization header");
  }
  EXPECT_EQ(get("/api/whoami-v2").status, 401);
}

TEST_F(HfWriteTest, ARevokedTokenIsNone) {
  create();
  log_record(alice, filled(alice, fold::write(fold::RevokeToken{token_key(token)->id()})));
  EXPECT_EQ(get("/api/whoami-v2", with_token(token)).status, 401);
  EXPECT_EQ(commit(header_line("x") + file_line("a", "b")).status, 401);
}

TEST_F(HfWriteTest, MakesARepository) {
  const auto made = send("/api/repos/create", {{"name", "bert"}});
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(json::parse(body(made)).at("url"), "http://hub.test:8080/alice/bert");
  const auto again = send("/api/repos/create", {{"name", "bert"}});
  EXPECT_EQ(again.status, 409);
  EXPECT_TRUE(json::parse(body(again)).contains("url"));
  EXPECT_EQ(get_json("/api/models/alice/bert").at("siblings").size(), 0u);
  EXPECT_EQ(get_json("/api/models?author=alice").size(), 1u);
  EXPECT_EQ(send("/api/repos/create", {{"name", "d"}, {"type", "dataset"}}).status, 200);
  EXPECT_EQ(get_json("/api/datasets?author=alice").size(), 1u);
}

TEST_F(HfWriteTest, RefusesWhatIsNotTheTokens) {
  EXPECT_EQ(send("/api/repos/create", {{"name", "bert"}, {"organization", "bob"}}).status, 403);
  EXPECT_EQ(send("/api/repos/create", {{"name", "-bad-"}}).status, 400);
  EXPECT_EQ(send("/api/repos/create", {{"name", "s"}, {"type", "space"}}).status, 400);
  EXPECT_EQ(send("/api/repos/create", {{"name", "s"}, {"private", true}}).status, 400);
  EXPECT_EQ(post("/api/repos/create", "{\"name\":\"x\"}").status, 401);
  EXPECT_EQ(commit(header_line("x"), "runs/demo").status, 403);
  EXPECT_EQ(commit(header_line("x"), "alice/nope").status, 404);
  Person bob{8};
  EXPECT_EQ(ask(request("POST", "/records", text(bob.introduce()))).status, 200);
  const std::string bobs = "hrb_" + std::string(64, '3');
  grant(bob, bobs, "alice");  // inert: the namespace is Alice's
  EXPECT_EQ(get("/api/whoami-v2", with_token(bobs)).status, 401);
  grant(bob, bobs, "bob");
  create();
  EXPECT_EQ(post("/api/models/alice/bert/commit/main", header_line("x") + file_line("a", "b"),
                 with_token(bobs))
                .status,
            403);
}

TEST_F(HfWriteTest, BranchesGoTheirOwnWay) {
  create();
  const std::string repo = "/api/models/alice/bert";
  commit(header_line("First") + file_line("a", "1"));
  const std::string first = head();
  EXPECT_EQ(send(repo + "/branch/dev%2Fx", json::object()).status, 200);
  EXPECT_EQ(send(repo + "/branch/dev%2Fx", json::object()).status, 409);
  EXPECT_EQ(send(repo + "/branch/old", {{"startingPoint", first}}).status, 200);
  EXPECT_EQ(send(repo + "/branch/no", {{"startingPoint", "nowhere"}}).status, 404);
  EXPECT_EQ(send(repo + "/branch/-no", json::object()).status, 400);
  EXPECT_THAT(names("branches"), testing::ElementsAre("main", "dev/x", "old"));
  EXPECT_EQ(commit(header_line("Dev") + file_line("b", "2"), "alice/bert", "dev%2Fx").status, 200);
  EXPECT_EQ(commit(header_line("x") + file_line("b", "2"), "alice/bert", "nope").status, 404);
  EXPECT_EQ(head(), first);
  EXPECT_EQ(get_json(repo + "/tree/dev%2Fx").size(), 2u);
  EXPECT_EQ(get_json(repo + "/tree/main").size(), 1u);
  EXPECT_EQ(body(get("/alice/bert/resolve/dev%2Fx/b")), "2");
  EXPECT_EQ(commit(header_line("Second") + file_line("c", "3")).status, 200);
  // Each branch's own history.
  EXPECT_EQ(get_json(repo + "/commits/dev%2Fx").size(), 3u);
  EXPECT_EQ(get_json(repo + "/commits/main")[0].at("title"), "Second");
  EXPECT_EQ(get_json(repo + "/commits/main")[1].at("title"), "First");
  EXPECT_EQ(remove(repo + "/branch/main").status, 403);
  EXPECT_EQ(remove(repo + "/branch/dev%2Fx").status, 200);
  EXPECT_EQ(remove(repo + "/branch/dev%2Fx").status, 404);
  EXPECT_EQ(get(repo + "/tree/dev%2Fx").status, 404);
}

TEST_F(HfWriteTest, TagsStay) {
  create();
  const std::string repo = "/api/models/alice/bert";
  commit(header_line("First") + file_line("a", "1"));
  EXPECT_EQ(send(repo + "/tag/main", {{"tag", "v1.0"}, {"message", "one"}}).status, 200);
  EXPECT_EQ(send(repo + "/tag/main", {{"tag", "v1.0"}}).status, 409);
  EXPECT_EQ(send(repo + "/tag/nope", {{"tag", "v2"}}).status, 404);
  EXPECT_EQ(send(repo + "/tag/main", json::object()).status, 400);
  commit(header_line("Second") + file_line("a", "2"));
  EXPECT_EQ(body(get("/alice/bert/resolve/v1.0/a")), "1");
  EXPECT_EQ(body(get("/alice/bert/resolve/refs%2Ftags%2Fv1.0/a")), "1");
  EXPECT_EQ(commit(header_line("x") + file_line("a", "2"), "alice/bert", "v1.0").status, 404);
  EXPECT_EQ(remove(repo + "/tag/v1.0").status, 200);
  EXPECT_TRUE(names("tags").empty());
  EXPECT_EQ(send("/api/models/runs/demo/tag/main", {{"tag", "v1.0"}}).status, 403);
  EXPECT_EQ(post(repo + "/tag/main", "{\"tag\":\"x\"}").status, 401);
}

TEST_F(HfWriteTest, DeletesARepository) {
  create();
  commit(header_line("First") + file_line("a", "1"));
  const json it = {{"name", "bert"}, {"organization", "alice"}, {"type", "model"}};
  EXPECT_EQ(ask(request("DELETE", "/api/repos/delete", it.dump())).status, 401);
  EXPECT_EQ(remove("/api/repos/delete", {{"name", "demo"}, {"organization", "runs"}}).status, 403);
  EXPECT_EQ(remove("/api/repos/delete", it).status, 200);
  const auto again = remove("/api/repos/delete", it);
  EXPECT_EQ(again.status, 404);
  EXPECT_EQ(header(again, "X-Error-Code"), "RepoNotFound");
  EXPECT_EQ(get("/alice/bert/resolve/main/a").status, 404);
  create();
  EXPECT_EQ(get_json("/api/models/alice/bert").at("siblings").size(), 0u);
}

TEST_F(HfWriteTest, HasNoSettingThatHides) {
  create();
  const auto set = [&](const json& body) {
    return ask(request("PUT", "/api/models/alice/bert/settings", body.dump(), with_token(token)))
        .status;
  };
  EXPECT_EQ(set({{"visibility", "public"}, {"gated", false}}), 200);
  EXPECT_EQ(set({{"private", false}}), 200);
  EXPECT_EQ(set({{"visibility", "private"}}), 400);
  EXPECT_EQ(set({{"private", true}}), 400);
  EXPECT_EQ(set({{"gated", "auto"}}), 400);
  EXPECT_EQ(set(json::array()), 400);
}

TEST_F(HfWriteTest, ACommitBecomesASignedRecord) {
  create();
  const auto answer = commit(header_line("First") + file_line("README.md", "# hello\n") +
                             file_line("sub/config.json", "{}"));
  ASSERT_EQ(answer.status, 200) << body(answer);
  const std::string oid = json::parse(body(answer)).at("commitOid");
  EXPECT_EQ(head(), oid);
  EXPECT_EQ(body(get("/alice/bert/resolve/main/README.md")), "# hello\n");
  EXPECT_EQ(header(get("/alice/bert/resolve/" + oid + "/sub/config.json"), "ETag"),
            "\"" + git_blob_oid(view("{}")) + "\"");
  const json commits = get_json("/api/models/alice/bert/commits/main");
  EXPECT_EQ(commits.at(0).at("title"), "First");
  // Signed by the token's key, for its owner.
  folder->read([&](const Folded& log) {
    const fold::Repo* repo = log.repos.find(fold::RepoType::model, "alice/bert");
    ASSERT_NE(repo, nullptr);
    EXPECT_EQ(repo->owner, alice.key().id());
    EXPECT_EQ(repo->revisions.at(0).author, token_key(token)->id());
    EXPECT_EQ(repo->revisions.at(0).place.id.hex().substr(0, 40), oid);
  });
}

TEST_F(HfWriteTest, CommitsApplyInOrderAndWhole) {
  create();
  ASSERT_EQ(
      commit(header_line("1") + file_line("a/x", "1") + file_line("a/y", "2") + file_line("b", "3"))
          .status,
      200);
  const std::string before = head();
  // The last operation cannot be done: nothing is.
  EXPECT_EQ(commit(header_line("2") + file_line("c", "4") +
                   "{\"key\":\"deletedFile\",\"value\":{\"path\":\"nope\"}}\n")
                .status,
            422);
  EXPECT_EQ(head(), before);
  EXPECT_EQ(commit(header_line("3") + "{\"key\":\"deletedFolder\",\"value\":{\"path\":\"a/\"}}\n" +
                   file_line("a", "now a file"))
                .status,
            200);
  EXPECT_EQ(get_json("/api/models/alice/bert/tree/main?recursive=true").size(), 2u);
  EXPECT_EQ(commit(header_line("4") + file_line("../evil", "x")).status, 400);
  EXPECT_EQ(commit(header_line("5") + file_line("a/under-a-file", "x")).status, 400);
  EXPECT_EQ(commit("{\"key\":\"copyFile\",\"value\":{\"path\":\"x\"}}\n").status, 400);
  // The old revision is as it was.
  EXPECT_EQ(get_json("/api/models/alice/bert/tree/" + before + "?recursive=true").size(), 4u);
}

TEST_F(HfWriteTest, SaysWhichCommitLastChangedAPath) {
  create();
  ASSERT_EQ(
      commit(header_line("1") + file_line("a/x", "1") + file_line("a/y", "1") + file_line("b", "1"))
          .status,
      200);
  ASSERT_EQ(commit(header_line("2") + file_line("a/x", "2")).status, 200);
  ASSERT_EQ(commit(header_line("3") + file_line("c", "3")).status, 200);
  const auto titles = [](const json& entries) {
    std::map<std::string, std::string> out;
    for (const json& entry : entries) {
      out[entry.at("path")] = entry.at("lastCommit").at("title");
    }
    return out;
  };
  const std::map<std::string, std::string> all = {
      {"a", "2"}, {"a/x", "2"}, {"a/y", "1"}, {"b", "1"}, {"c", "3"}};
  const std::string repo = "/api/models/alice/bert";
  EXPECT_EQ(titles(get_json(repo + "/tree/main?recursive=true&expand=true")), all);
  for (const char* question : {"paths=a&paths=a/x&paths=a/y&paths=b&paths=c&expand=True",
                               R"({"paths": ["a", "a/x", "a/y", "b", "c"], "expand": true})"}) {
    EXPECT_EQ(titles(json::parse(body(post(repo + "/paths-info/main", question)))), all);
  }
}

// Looking back ends somewhere: what is older carries the oldest commit that was looked at.
TEST_F(HfWriteTest, LooksBackOnlySoFar) {
  create();
  ASSERT_EQ(commit(header_line("first") + file_line("old", "1")).status, 200);
  for (std::size_t i = 0; i <= kLookBackCommits; ++i) {
    ASSERT_EQ(commit(header_line(std::to_string(i)) + file_line("new", std::to_string(i))).status,
              200);
  }
  const json entries = get_json("/api/models/alice/bert/tree/main?expand=true");
  EXPECT_EQ(entries.at(0).at("lastCommit").at("title"), std::to_string(kLookBackCommits));
  EXPECT_EQ(entries.at(1).at("path"), "old");
  EXPECT_EQ(entries.at(1).at("lastCommit").at("title"), "0");
}

TEST_F(HfWriteTest, ACommitThatChangesNothingIsNone) {
  create();
  ASSERT_EQ(commit(header_line("1") + file_line("a", "1")).status, 200);
  const std::string before = head();
  const auto again = commit(header_line("2") + file_line("a", "1"));
  EXPECT_EQ(json::parse(body(again)).at("commitOid"), before);
  EXPECT_EQ(get_json("/api/models/alice/bert/commits/main").size(), 2u);
}

TEST_F(HfWriteTest, AParentThatIsNotTheHeadIsRefused) {
  create();
  const std::string first = head();
  ASSERT_EQ(commit(header_line("1", first) + file_line("a", "1")).status, 200);
  EXPECT_EQ(commit(header_line("2", first) + file_line("a", "2")).status, 412);
}

TEST_F(HfWriteTest, LargeFilesGoOnTheirOwn) {
  create();
  const std::string content(3000, 'w');
  EXPECT_EQ(commit(header_line("early") + large_line("model.safetensors", content)).status, 422);
  const json object = batch(content);
  HttpRequest put = request("PUT", upload_of(object), content);
  EXPECT_EQ(ask(put).status, 201);
  EXPECT_FALSE(batch(content).contains("actions"));  // it is there now
  const auto answer = commit(header_line("weights") + large_line("model.safetensors", content));
  ASSERT_EQ(answer.status, 200) << body(answer);
  const json entry = get_json("/api/models/alice/bert/tree/main").at(0);
  EXPECT_EQ(entry.at("lfs").at("oid"), sha256(view(content)).hex());
  EXPECT_EQ(entry.at("oid"), git_blob_oid(view(lfs_pointer(sha256(view(content)), 3000))));
  EXPECT_EQ(body(get("/alice/bert/resolve/main/model.safetensors")), content);
}

TEST_F(HfWriteTest, AnUploadNeedsItsAddressAndItsBytes) {
  create();
  const std::string content = "some weights";
  const std::string target = upload_of(batch(content));
  EXPECT_EQ(ask(request("PUT", target, "other weight")).status, 422);
  EXPECT_EQ(ask(request("PUT", target, "short")).status, 400);
  std::string forged = target;
  forged.replace(forged.find("size=12"), 7, "size=99");
  EXPECT_EQ(ask(request("PUT", forged, content)).status, 403);
  clock.pass(25LL * 3600 * 1000);
  EXPECT_EQ(ask(request("PUT", target, content)).status, 403);
  EXPECT_EQ(ask(request("PUT", upload_of(batch(content)), content)).status, 201);
}

TEST_F(HfWriteTest, TellsHowFilesTravel) {
  create();
  ASSERT_EQ(commit(header_line("1") + file_line("a", "1")).status, 200);
  const json answer =
      json::parse(body(send("/api/models/alice/bert/preupload/main",
                            {{"files",
                              {{{"path", "a"}, {"size", 1}, {"sample", "MQ=="}},
                               {{"path", "big"}, {"size", 200'000'000}, {"sample", ""}}}}})));
  const json& files = answer.at("files");
  EXPECT_EQ(files.at(0).at("uploadMode"), "regular");
  EXPECT_EQ(files.at(0).at("oid"), git_blob_oid(view("1")));
  EXPECT_EQ(files.at(0).at("shouldIgnore"), false);
  EXPECT_EQ(files.at(1).at("uploadMode"), "lfs");
  EXPECT_EQ(send("/api/models/alice/bert/preupload/dev", {{"files", json::array()}}).status, 404);
}

TEST_F(HfWriteTest, AnOwnerHasAQuota) {
  options.hugging_face.uploads.owner_bytes_max = 100;
  make_the_hub();
  create();
  EXPECT_TRUE(batch(std::string(60, 'a')).contains("actions"));
  EXPECT_EQ(batch(std::string(60, 'b')).at("error").at("code"), 413);
  EXPECT_TRUE(batch(std::string(60, 'a')).contains("actions"));  // the same again costs nothing
  EXPECT_EQ(commit(header_line("1") + file_line("a", std::string(101, 'x'))).status, 413);
  EXPECT_EQ(commit(header_line("1") + file_line("a", std::string(99, 'x'))).status, 200);
  EXPECT_EQ(commit(header_line("2") + file_line("b", "two bytes")).status, 413);
}

constexpr std::int64_t kDay = 24LL * 3600 * 1000;

// Asks until the file is there no more, as the hub's thread finds it; the test's limit is its end.
#define EXPECT_GOES(digest) \
  while (blobs->has(digest)) static_cast<void>(get("/health"))

TEST_F(HfWriteTest, UploadsThatNobodyCommitsGoAfterAWeekAndOthersStay) {
  create();
  const std::string left = "left alone", kept = "committed";
  for (const std::string& content : {left, kept}) {
    ASSERT_EQ(ask(request("PUT", upload_of(batch(content)), content)).status, 201);
  }
  ASSERT_EQ(commit(header_line("1") + large_line("w", kept)).status, 200);
  EXPECT_EQ(uploads->all()->size(), 1u);
  make_the_hub();  // a restart: the list is what it was
  clock.pass(6 * kDay);
  EXPECT_EQ(get("/health").status, 200);
  make_the_hub();  // ends when its threads have done what they were to do
  EXPECT_TRUE(blobs->has(sha256(view(left))));
  clock.pass(2 * kDay);
  EXPECT_GOES(sha256(view(left)));
  EXPECT_EQ(body(get("/alice/bert/resolve/main/w")), kept);
  EXPECT_EQ(commit(header_line("2") + large_line("l", left)).status, 422);
  ASSERT_EQ(ask(request("PUT", upload_of(batch(left)), left)).status, 201);
  EXPECT_EQ(commit(header_line("2") + large_line("l", left)).status, 200);
}

// The process died after the commit was logged and before the upload was forgotten.
TEST_F(HfWriteTest, ACommittedUploadThatIsStillListedStays) {
  create();
  const std::string kept = "committed", left = "left alone";
  for (const std::string& content : {left, kept}) {
    ASSERT_EQ(ask(request("PUT", upload_of(batch(content)), content)).status, 201);
  }
  const auto before = *uploads->all();
  ASSERT_EQ(commit(header_line("1") + large_line("w", kept)).status, 200);
  ASSERT_TRUE(uploads->note(before).ok());
  make_the_hub();
  clock.pass(8 * kDay);
  EXPECT_GOES(sha256(view(left)));
  make_the_hub();  // its sweep has ended
  EXPECT_TRUE(uploads->all()->empty());
  EXPECT_EQ(body(get("/alice/bert/resolve/main/w")), kept);
}

TEST_F(HfWriteTest, TheQuotaOutlivesTheProcess) {
  options.hugging_face.uploads.owner_bytes_max = 100;
  make_the_hub();
  create();
  const std::string large(60, 'a');
  ASSERT_EQ(ask(request("PUT", upload_of(batch(large)), large)).status, 201);
  make_the_hub();
  EXPECT_EQ(batch(std::string(60, 'b')).at("error").at("code"), 413);
  ASSERT_EQ(commit(header_line("1") + large_line("w", large)).status, 200);
  EXPECT_EQ(batch(std::string(60, 'b')).at("error").at("code"), 413);  // counted once, not twice:
  EXPECT_TRUE(batch(std::string(40, 'b')).contains("actions"));
}

TEST_F(HfWriteTest, RefusesHugeCommitsBeforeTheyCome) {
  create();
  HttpRequest huge = request("POST", "/api/models/alice/bert/commit/main", "", with_token(token));
  huge.content_length = 1ull << 40;
  EXPECT_EQ(ask(huge).status, 413);
}

TEST_F(HfWriteTest, SaysWhyNothingIsMovedOrSquashed) {
  create();
  const auto moved = send("/api/repos/move",
                          {{"fromRepo", "alice/bert"}, {"toRepo", "alice/b"}, {"type", "model"}});
  EXPECT_EQ(moved.status, 501);
  EXPECT_THAT(body(moved), HasSubstr("name is in its signed records"));
  const auto squashed = send("/api/models/alice/bert/super-squash/main", {{"message", "one"}});
  EXPECT_EQ(squashed.status, 501);
  EXPECT_THAT(body(squashed), HasSubstr("signed log"));
}

TEST(HfCommits, ComeInPages) {
  HfRepo repo;
  std::optional<RecordId> last;
  for (std::size_t i = 0; i < 2 * kCommitsPage + 1; ++i) {
    HfCommit commit;
    commit.record = sha256(view(std::to_string(i)));
    commit.oid = commit.record.hex().substr(0, 40);
    commit.parent = std::exchange(last, commit.record);
    commit.title = std::to_string(i);
    repo.commits.push_back(commit);
  }
  const HfCommit& newest = repo.commits.back();
  std::vector<std::string> titles;
  for (std::uint64_t page = 0; page < 3; ++page) {
    const HfCommitsPage part = commits_json(repo, newest, page);
    EXPECT_EQ(part.more, page < 2);
    for (const Json& one : part.commits) titles.push_back(*one.find("title")->string());
  }
  ASSERT_EQ(titles.size(), repo.commits.size());
  EXPECT_EQ(titles.front(), newest.title);
  EXPECT_EQ(titles[kCommitsPage], std::to_string(kCommitsPage));
  EXPECT_EQ(titles.back(), "0");
  EXPECT_TRUE(commits_json(repo, newest, 3).commits.empty());
  EXPECT_FALSE(commits_json(repo, newest, 2).more);
}

TEST_F(HfWriteTest, ChecksCards) {
  EXPECT_EQ(json::parse(body(post("/api/validate-yaml", "{\"content\":\"\"}"))).at("errors"),
            json::array());
}

TEST_F(HfWriteTest, ManyCommitsOfOneTokenAllCount) {
  create();
  // Two that were sent at once: both wait for the log at the same time.
  std::vector<HttpResponse> answers;
  for (const char* path : {"a", "b"}) {
    HttpRequest question = request("POST", "/api/models/alice/bert/commit/main",
                                   header_line(path) + file_line(path, path), with_token(token));
    BodyPlan plan = hub->plan(question);
    ASSERT_TRUE(plan.sink);
    ASSERT_TRUE(plan.sink->write(question.body).ok());
    answers.push_back(plan.sink->finish());
  }
  // As the server asks them: in turns.
  for (int left = 2; left > 0;) {
    sequencer->run_batch();
    folder->catch_up();
    for (HttpResponse& answer : answers) {
      const auto* wait = std::get_if<Wait>(&answer.body);
      if (wait == nullptr) continue;
      if (auto done = wait->again(false)) {
        answer = *std::move(done);
        EXPECT_EQ(answer.status, 200);
        --left;
      }
    }
  }
  EXPECT_EQ(get_json("/api/models/alice/bert/tree/main").size(), 2u);
}

TEST(HfRequests, RefuseNonsense) {
  for (const char* bad : {"", "[]", "{\"files\":1}", "{\"files\":[{\"path\":1,\"size\":2}]}",
                          "{\"files\":[{\"path\":\"a\",\"size\":-1}]}", "\xff\xfe"}) {
    EXPECT_FALSE(parse_preupload(view(bad))) << bad;
  }
  EXPECT_FALSE(parse_lfs_batch(view("{\"objects\":[{\"oid\":\"00\",\"size\":1}]}")));
  EXPECT_FALSE(parse_commit(view("not json\n")));
  EXPECT_FALSE(parse_commit(view("{\"key\":\"file\",\"value\":{\"path\":\"a\"}}\n")));
  EXPECT_FALSE(
      parse_commit(view("{\"key\":\"file\",\"value\":{\"path\":\"a\",\"content\":\"%%\"}}\n")));
  EXPECT_FALSE(parse_create(view(std::string(100, '[') + std::string(100, ']'))));
}

TEST(HfToken, IsAKey) {
  const std::string token = new_token();
  EXPECT_EQ(token.size(), 68u);
  EXPECT_EQ(token_key(token)->id(), token_key(token)->id());
  EXPECT_NE(token_key(token)->id(), token_key(new_token())->id());
  EXPECT_FALSE(token_key("hf_" + std::string(64, '1')));
  EXPECT_FALSE(token_key("hrb_11"));
}

}  // namespace
}  // namespace harambee::hub

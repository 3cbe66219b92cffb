// What Hugging Face clients read: the requests of huggingface_hub 1.23 and transformers 5.12.
#include "hub/hf_target.h"
#include "hub/hf_text.h"
#include "hub/hf_world.h"

namespace harambee::hub {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class HfReadTest : public HfWorld {};

std::vector<std::string> paths_of(const json& entries) {
  std::vector<std::string> out;
  for (const json& entry : entries) out.push_back(entry.at("path"));
  return out;
}

TEST_F(HfReadTest, ARunIsAModelWithoutWeightsUntilItStarts) {
  const json before = get_json("/api/models/runs/demo");
  EXPECT_EQ(before.at("id"), "runs/demo");
  EXPECT_EQ(before.at("siblings").size(), 5u);
  start_run();
  const json after = get_json("/api/models/runs/demo");
  EXPECT_EQ(after.at("siblings").size(), 7u);
  EXPECT_NE(after.at("sha"), before.at("sha"));
  EXPECT_EQ(after.at("safetensors").at("total"),
            format::ModelLayout::make(recipe().model)->parameters());
  // What was there stays there, to the byte.
  const json old =
      get_json("/api/models/runs/demo/revision/" + before.at("sha").get<std::string>());
  EXPECT_EQ(old.at("siblings"), before.at("siblings"));
}

TEST_F(HfReadTest, ServesWhatSnapshotDownloadAsks) {
  start_run();
  const json info = get_json("/api/models/runs/demo/revision/main");
  const std::string sha = info.at("sha");
  EXPECT_THAT(sha, testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(sha.size(), 40u);
  const json tree = get_json("/api/models/runs/demo/tree/" + sha + "?recursive=true&expand=false");
  EXPECT_THAT(paths_of(tree),
              ElementsAre("README.md", "config.json", "generation_config.json", "model-f32.gguf",
                          "model.safetensors", "tokenizer.json", "tokenizer_config.json"));
  for (const json& entry : tree) {
    const std::string url = "/runs/demo/resolve/" + sha + "/" + entry.at("path").get<std::string>();
    const auto head = ask(request("HEAD", url));
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(header(head, "X-Repo-Commit"), sha);
    EXPECT_EQ(header(head, "X-Linked-Size"), std::to_string(entry.at("size").get<int>()));
    const auto whole = get(url);
    const std::string bytes = body(whole);
    EXPECT_EQ(bytes.size(), entry.at("size"));
    const std::string etag =
        entry.contains("lfs") ? sha256(view(bytes)).hex() : git_blob_oid(view(bytes));
    EXPECT_EQ(header(head, "ETag"), "\"" + etag + "\"");
    EXPECT_EQ(entry.contains("lfs") ? entry.at("lfs").at("oid") : entry.at("oid"), etag);
  }
}

TEST_F(HfReadTest, ComputesWeightsThatAreNoBlobOnce) {
  start_run();
  const std::string url = "/runs/demo/resolve/round-0/model.safetensors";
  EXPECT_EQ(body(get(url)), text(make_weights(0)));
  EXPECT_EQ(body(get(url)), text(make_weights(0)));
  EXPECT_EQ(weights_made, 1);
}

// What `llama-server -hf` asks.
TEST_F(HfReadTest, ServesTheWeightsAsGguf) {
  start_run();
  const json refs = get_json("/api/models/runs/demo/refs");
  const std::string sha = refs.at("branches")[0].at("targetCommit");
  const json tree = get_json("/api/models/runs/demo/tree/" + sha + "?recursive=true");
  ASSERT_EQ(tree[3].at("path"), "model-f32.gguf");
  const std::string url = "/runs/demo/resolve/" + sha + "/model-f32.gguf";
  const auto head = ask(request("HEAD", url));
  const std::string bytes = body(get(url));
  EXPECT_EQ(bytes.substr(0, 4), "GGUF");
  EXPECT_NE(bytes.find(sha256(make_weights(0)).hex()), std::string::npos);
  EXPECT_EQ(tree[3].at("lfs").at("oid"), sha256(view(bytes)).hex());
  EXPECT_EQ(tree[3].at("size"), bytes.size());
  EXPECT_EQ(header(head, "X-Linked-Etag"), "\"" + sha256(view(bytes)).hex() + "\"");
  const auto part = get(url, {{"range", "bytes=4-7"}});
  EXPECT_EQ(body(part), bytes.substr(4, 4));
  EXPECT_EQ(weights_made, 1);
  const json paths =
      json::parse(body(post("/api/models/runs/demo/paths-info/main", "paths=model-f32.gguf")));
  EXPECT_EQ(paths[0].at("lfs").at("oid"), tree[3].at("lfs").at("oid"));
  const json info = get_json("/api/models/runs/demo?blobs=true");
  EXPECT_EQ(info.at("siblings")[3].at("lfs").at("sha256"), tree[3].at("lfs").at("oid"));
}

TEST_F(HfReadTest, TellsOldLlamaWhichFileToTake) {
  EXPECT_EQ(get("/v2/runs/demo/manifests/latest").status, 404);
  start_run();
  for (const char* tag : {"latest", "F32", "Q4_K_M"}) {
    const json answer = get_json("/v2/runs/demo/manifests/" + std::string(tag));
    EXPECT_EQ(answer.at("ggufFile").at("rfilename"), "model-f32.gguf");
  }
  EXPECT_EQ(get("/v2/runs/nope/manifests/latest").status, 404);
}

TEST_F(HfReadTest, MakesTheGgufAgainWhenTheCacheHasLostIt) {
  start_run();
  const std::string url = "/runs/demo/resolve/round-0/model-f32.gguf";
  const std::string bytes = body(get(url));
  // Room for one file: each of the two drives the other out.
  options.hugging_face.weights.bytes_max = bytes.size();
  computed = store::make_memory_blobs();
  options.hugging_face.weights_shelf = computed.get();
  make_the_hub();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(body(get("/runs/demo/resolve/round-0/model.safetensors")), text(make_weights(0)));
    EXPECT_EQ(body(get(url)), bytes);
  }
  EXPECT_GT(weights_made, 2);
}

TEST_F(HfReadTest, ListsNoGgufThatItCannotMake) {
  start_run();
  options.hugging_face.make_weights = nullptr;
  make_the_hub();
  const std::string main = "/api/models/runs/demo/tree/main";
  EXPECT_EQ(get_json(main).size(), 6u);
  EXPECT_EQ(get("/runs/demo/resolve/main/model-f32.gguf").status, 404);
  // A checkpoint is all that is needed.
  const Bytes weights = make_weights(0);
  ASSERT_TRUE(blobs->put(sha256(weights), weights).ok());
  EXPECT_EQ(get_json(main).size(), 7u);
}

TEST_F(HfReadTest, ServesAPartOfAFile) {
  start_run();
  const std::string url = "/runs/demo/resolve/main/model.safetensors";
  const auto part = get(url, {{"range", "bytes=2-5"}});
  const Bytes whole = make_weights(0);
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(body(part), text(View(whole).subspan(2, 4)));
  EXPECT_EQ(header(part, "Content-Range"), "bytes 2-5/" + std::to_string(whole.size()));
  EXPECT_EQ(get(url, {{"range", "bytes=99999999-"}}).status, 416);
}

TEST_F(HfReadTest, SaysWhatIsMissingInTheClientsWords) {
  struct Case {
    const char* target;
    const char* code;
  };
  for (const Case& one :
       {Case{"/api/models/runs/nope", "RepoNotFound"}, Case{"/api/models/gpt2", "RepoNotFound"},
        Case{"/api/spaces/a/b", "RepoNotFound"},
        Case{"/nobody/nope/resolve/main/x", "RepoNotFound"},
        Case{"/api/models/runs/demo/revision/round-9", "RevisionNotFound"},
        Case{"/runs/demo/resolve/round-9/README.md", "RevisionNotFound"},
        Case{"/runs/demo/resolve/main/nope.bin", "EntryNotFound"},
        Case{"/api/models/runs/demo/tree/main/additional_chat_templates", "EntryNotFound"}}) {
    const auto answer = get(one.target);
    EXPECT_EQ(answer.status, 404) << one.target;
    EXPECT_EQ(header(answer, "X-Error-Code"), one.code) << one.target;
    EXPECT_TRUE(json::parse(body(answer)).contains("error"));
  }
  // So that the client may remember that it is not there.
  EXPECT_EQ(header(get("/runs/demo/resolve/main/nope.bin"), "X-Repo-Commit").size(), 40u);
}

TEST_F(HfReadTest, NeverOffersXet) {
  start_run();
  const auto head = ask(request("HEAD", "/runs/demo/resolve/main/model.safetensors"));
  EXPECT_EQ(header(head, "X-Xet-Hash"), "");
  EXPECT_THAT(body(get("/api/models/runs/demo?blobs=true")), testing::Not(HasSubstr("xet")));
}

TEST_F(HfReadTest, ListsAndSearches) {
  EXPECT_EQ(get_json("/api/models").size(), 1u);
  EXPECT_EQ(get_json("/api/models?search=DEM&author=runs&filter=harambee&limit=5").size(), 1u);
  EXPECT_EQ(get_json("/api/models?search=other").size(), 0u);
  EXPECT_EQ(get_json("/api/models?author=alice").size(), 0u);
  EXPECT_EQ(get_json("/api/models?filter=harambee&filter=onnx").size(), 0u);
  EXPECT_EQ(get_json("/api/models?full=true")[0].at("siblings").size(), 5u);
  const auto none = get("/api/models?limit=0");
  EXPECT_EQ(body(none), "[]");
  EXPECT_EQ(header(none, "Link"), "");
}

TEST_F(HfReadTest, PagesALongList) {
  for (const char* name : {"second", "third"}) {
    fold::OpenRun open;
    open.name = name;
    open.coordinator = maintainer.key().id();
    open.validators = {maintainer.key().id()};
    open.recipe = recipe();
    open.data = {sha256(view(name)), 5, std::string(format::kDataManifestType)};
    log_record(maintainer, filled(maintainer, fold::write(open)));
  }
  const auto first = get("/api/models?limit=2&author=runs");
  EXPECT_EQ(json::parse(body(first)).size(), 2u);
  EXPECT_EQ(header(first, "Link"),
            "<http://hub.test:8080/api/models?limit=2&author=runs&cursor=2>; rel=\"next\"");
  const auto second = get("/api/models?limit=2&author=runs&cursor=2");
  EXPECT_EQ(json::parse(body(second))[0].at("id"), "runs/third");
  EXPECT_EQ(header(second, "Link"), "");
}

TEST_F(HfReadTest, TheDataIsADataSet) {
  const json tree = get_json("/api/datasets/runs/demo/tree/main?recursive=true");
  EXPECT_THAT(paths_of(tree),
              ElementsAre("README.md", "heldout", "heldout/00000.txt", "manifest.json", "train",
                          "train/00000.txt", "train/00001.txt"));
  EXPECT_EQ(body(get("/datasets/runs/demo/resolve/main/train/00001.txt")), "more");
  EXPECT_EQ(get_json("/api/datasets/runs/demo/tree/main/train").size(), 2u);
  EXPECT_EQ(get_json("/api/datasets?author=runs")[0].at("id"), "runs/demo");
}

TEST_F(HfReadTest, SaysWhenTheBytesAreNotHere) {
  ASSERT_TRUE(blobs->remove(sha256(view("more"))).ok());
  const std::string url = "/datasets/runs/demo/resolve/main/train/00001.txt";
  EXPECT_EQ(get(url).status, 404);
  EXPECT_EQ(ask(request("HEAD", url)).status, 404);
}

TEST_F(HfReadTest, AnswersPathsInfoInBothForms) {
  const std::string target = "/api/models/runs/demo/paths-info/main";
  for (const char* question :
       {"paths=README.md&paths=nope&expand=false", "{\"paths\": [\"README.md\", \"nope\"]}"}) {
    const auto answer = post(target, question);
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(paths_of(json::parse(body(answer))), ElementsAre("README.md"));
  }
  EXPECT_EQ(post(target, "{\"paths\": [1]}").status, 400);
  EXPECT_EQ(post("/api/datasets/runs/demo/paths-info/main", "paths=train").status, 200);
}

// What the hub writes itself is as old as the run, the card as new as the revision.
TEST_F(HfReadTest, SaysWhichCommitLastChangedAFileOfARun) {
  start_run();
  const json commits = get_json("/api/models/runs/demo/commits/main");
  ASSERT_EQ(commits.size(), 2u);
  for (const json& entry : get_json("/api/models/runs/demo/tree/main?expand=true")) {
    const std::string path = entry.at("path");
    const bool changed =
        path == "README.md" || path == "model.safetensors" || path == "model-f32.gguf";
    const json& commit = commits.at(changed ? 0 : 1);
    const json& last = entry.at("lastCommit");
    EXPECT_EQ(last.at("id"), commit.at("id")) << path;
    EXPECT_EQ(last.at("title"), commit.at("title"));
    EXPECT_EQ(last.at("date"), commit.at("date"));
  }
  EXPECT_FALSE(get_json("/api/models/runs/demo/tree/main").at(0).contains("lastCommit"));
}

TEST_F(HfReadTest, ListsRefsAndCommits) {
  start_run();
  const json refs = get_json("/api/models/runs/demo/refs?include_prs=1");
  EXPECT_EQ(refs.at("branches")[0].at("ref"), "refs/heads/main");
  EXPECT_EQ(refs.at("tags")[0].at("name"), "round-0");
  EXPECT_TRUE(refs.at("converts").empty() && refs.at("pullRequests").empty());
  const json commits = get_json("/api/models/runs/demo/commits/main");
  ASSERT_EQ(commits.size(), 2u);
  EXPECT_EQ(commits[0].at("id"), refs.at("branches")[0].at("targetCommit"));
  EXPECT_EQ(
      get_json("/api/models/runs/demo/commits/" + commits[1].at("id").get<std::string>()).size(),
      1u);
}

TEST_F(HfReadTest, TheCardSaysHowToCheck) {
  start_run();
  const std::string card = body(get("/runs/demo/resolve/main/README.md"));
  EXPECT_THAT(card, HasSubstr("library_name: transformers"));
  EXPECT_THAT(card, HasSubstr("sha256sum model.safetensors   # " + sha256(make_weights(0)).hex()));
}

TEST_F(HfReadTest, LeavesTheHubsOwnAddressesAlone) {
  EXPECT_EQ(get_json("/runs/demo").at("name"), "demo");
  EXPECT_EQ(get("/api/else").status, 404);
}

TEST(HfTarget, DecodesPartsAfterSplitting) {
  const auto target = parse_hf_target("/api/models/a/b/tree/refs%2Fpr%2F1/x%2Fy");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->verb, "tree");
  EXPECT_THAT(target->rest, ElementsAre("refs/pr/1", "x/y"));
  EXPECT_FALSE(parse_hf_target("/api/models/%zz"));
  EXPECT_FALSE(parse_hf_target("/runs/demo"));
  EXPECT_EQ(parse_hf_target("/datasets/a/b.git/info/lfs/objects/batch")->name.id(), "a/b");
}

TEST(HfText, PercentAndForms) {
  EXPECT_EQ(percent_decode("a%2Fb%20c"), "a/b c");
  EXPECT_EQ(percent_decode("%"), std::nullopt);
  EXPECT_EQ(percent_decode("%0"), std::nullopt);
  EXPECT_EQ(percent_decode("%00"), std::nullopt);
  EXPECT_EQ(percent_decode(std::string_view("a\0b", 3)), std::nullopt);
  EXPECT_EQ(percent_encode("a/b c~"), "a%2Fb%20c~");
  const FormFields fields = parse_form("a=1&b=x+y&a=%32&=3&c");
  EXPECT_THAT(values_of(fields, "a"), ElementsAre("1", "2"));
  EXPECT_EQ(value_of(fields, "b"), "x y");
  EXPECT_EQ(iso_time(1'767'323'045'678), "2026-01-02T03:04:05.678Z");
}

}  // namespace
}  // namespace harambee::hub

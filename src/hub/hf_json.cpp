#include "hub/hf_json.h"

#include <set>

#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kRefsListed = 1000;  // the newest

JsonObject lfs_json(const HfFile& file, const char* digest_name) {
  return {{digest_name, file.digest.hex()},
          {"pointerSize", lfs_pointer(file.digest, file.size).size()},
          {"size", file.size}};
}

Json sibling_json(const HfFile& file, HfDetail detail) {
  JsonObject out{{"rfilename", file.path}};
  if (detail == HfDetail::names) return out;
  out.emplace("size", file.size);
  out.emplace("blobId", file.git_oid);
  // Here it is called sha256; in trees oid.
  if (file.lfs) out.emplace("lfs", lfs_json(file, "sha256"));
  return out;
}

JsonObject folder_json(const HfTree& tree, const std::string& folder) {
  std::string content;
  for (const HfFile& file : tree.files) {
    if (file.path.starts_with(folder + "/")) content += file.path + " " + file.git_oid + "\n";
  }
  // Git's id of a folder would need its tree objects; nobody compares it.
  return {{"oid", sha1_hex({view(content)})}, {"path", folder}, {"size", 0}, {"type", "directory"}};
}

JsonArray strings(const std::vector<std::string>& list) {
  JsonArray out;
  for (const std::string& one : list) out.emplace_back(one);
  return out;
}

JsonArray ref_list(const HfRepo& repo, const std::vector<std::pair<std::string, RecordId>>& refs,
                   const std::string& head) {
  JsonArray out;
  const std::size_t skipped = refs.size() > kRefsListed ? refs.size() - kRefsListed : 0;
  for (std::size_t i = skipped; i < refs.size(); ++i) {
    const HfCommit* commit = repo.commit(refs[i].second);
    if (commit == nullptr) continue;
    out.push_back(JsonObject{
        {"name", refs[i].first}, {"ref", head + refs[i].first}, {"targetCommit", commit->oid}});
  }
  return out;
}

}  // namespace

JsonObject info_json(const HfRepo& repo, const HfCommit& commit, const HfTree* tree,
                     HfDetail detail) {
  const HfCommit* head = repo.head();
  JsonObject out{{"_id", commit.record.hex().substr(0, 24)},
                 {"author", repo.name.space},
                 {"createdAt", iso_time(repo.created_ms)},
                 {"disabled", false},
                 {"downloads", 0},
                 {"gated", false},
                 {"id", repo.name.id()},
                 {"lastModified", iso_time(head == nullptr ? commit.ms : head->ms)},
                 {"likes", 0},
                 {"private", false},
                 {"sha", commit.oid},
                 {"tags", strings(repo.labels)}};
  if (repo.name.type == HfType::model) out.emplace("modelId", repo.name.id());
  if (!repo.architecture.empty()) {
    out.emplace("pipeline_tag", "text-generation");
    out.emplace("library_name", "transformers");
    out.emplace("config", JsonObject{{"architectures", JsonArray{repo.architecture}},
                                     {"model_type", "llama"}});
  }
  if (repo.parameters > 0) {
    out.emplace("safetensors", JsonObject{{"parameters", JsonObject{{"F32", repo.parameters}}},
                                          {"total", repo.parameters}});
  }
  if (tree != nullptr) {
    JsonArray siblings;
    for (const HfFile& file : tree->files) siblings.push_back(sibling_json(file, detail));
    out.emplace("siblings", std::move(siblings));
  }
  return out;
}

JsonObject file_json(const HfFile& file) {
  JsonObject out{{"oid", file.git_oid}, {"path", file.path}, {"size", file.size}, {"type", "file"}};
  if (file.lfs) out.emplace("lfs", lfs_json(file, "oid"));
  return out;
}

std::optional<JsonArray> tree_json(const HfTree& tree, const std::string& folder, HfDepth depth) {
  const std::string head = folder.empty() ? "" : folder + "/";
  JsonArray out;
  std::set<std::string> folders;
  bool there = folder.empty();
  for (const HfFile& file : tree.files) {
    if (!file.path.starts_with(head)) continue;
    there = true;
    std::size_t slash = file.path.find('/', head.size());
    while (slash != std::string::npos) {
      const std::string name = file.path.substr(0, slash);
      if (folders.insert(name).second) out.emplace_back(folder_json(tree, name));
      if (depth == HfDepth::children) break;
      slash = file.path.find('/', slash + 1);
    }
    if (slash == std::string::npos) out.emplace_back(file_json(file));
  }
  if (!there) return std::nullopt;
  return out;
}

std::optional<Json> path_json(const HfTree& tree, const std::string& path) {
  if (const HfFile* file = tree.find(path)) return Json(file_json(*file));
  for (const HfFile& file : tree.files) {
    if (file.path.starts_with(path + "/")) return Json(folder_json(tree, path));
  }
  return std::nullopt;
}

JsonObject refs_json(const HfRepo& repo) {
  return {{"branches", ref_list(repo, repo.branches, "refs/heads/")},
          {"converts", JsonArray{}},
          {"pullRequests", JsonArray{}},
          {"tags", ref_list(repo, repo.tags, "refs/tags/")}};
}

HfCommitsPage commits_json(const HfRepo& repo, const HfCommit& commit, std::uint64_t page) {
  HfCommitsPage out;
  const std::uint64_t skipped = page * kCommitsPage;
  std::uint64_t seen = 0;
  // A parent is in the log before its child, so one way back meets them all.
  std::optional<RecordId> next = commit.record;
  for (auto one = repo.commits.rbegin(); one != repo.commits.rend() && next; ++one) {
    if (one->record != *next) continue;
    next = one->parent;
    if (seen++ < skipped) continue;
    if (out.commits.size() == kCommitsPage) {
      out.more = true;
      break;
    }
    out.commits.push_back(JsonObject{{"authors", JsonArray{JsonObject{{"user", one->author}}}},
                                     {"date", iso_time(one->ms)},
                                     {"id", one->oid},
                                     {"message", one->message},
                                     {"title", one->title}});
  }
  return out;
}

}  // namespace harambee::hub

#include "hub/hf_catalog.h"

#include <algorithm>

#include "format/tree.h"
#include "hub/hf_runs.h"
#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kTreesKept = 64;

bool ends_with_name(std::string_view text, std::string_view head, std::string_view name) {
  return text.size() == head.size() + name.size() && text.starts_with(head) && text.ends_with(name);
}

const RecordId* named(const std::vector<std::pair<std::string, RecordId>>& refs,
                      std::string_view text, std::string_view head) {
  for (const auto& [name, record] : refs) {
    if (text == name || ends_with_name(text, head, name)) return &record;
  }
  return nullptr;
}

}  // namespace

const char* plural(HfType type) { return type == HfType::model ? "models" : "datasets"; }
fold::RepoType repo_type(HfType type) {
  return type == HfType::model ? fold::RepoType::model : fold::RepoType::dataset;
}
const char* prefix(HfType type) { return type == HfType::model ? "" : "datasets/"; }

const HfFile* HfTree::find(std::string_view path) const {
  const auto found = std::lower_bound(
      files.begin(), files.end(), path,
      [](const HfFile& file, std::string_view wanted) { return file.path < wanted; });
  return found != files.end() && found->path == path ? &*found : nullptr;
}

const HfFile* HfTree::unnamed() const {
  const auto found = std::find_if(files.begin(), files.end(), [](const HfFile& file) {
    return file.weights && file.weights->gguf && file.digest == Digest();
  });
  return found == files.end() ? nullptr : &*found;
}

const HfCommit* HfRepo::commit(const RecordId& record) const {
  for (auto one = commits.rbegin(); one != commits.rend(); ++one) {
    if (one->record == record) return &*one;
  }
  return nullptr;
}

const HfCommit* HfRepo::head() const { return head("main"); }

const HfCommit* HfRepo::head(std::string_view branch) const {
  const RecordId* found = named(branches, branch, "");
  return found == nullptr ? nullptr : commit(*found);
}

const HfCommit* HfRepo::revision(std::string_view text) const {
  if (text == "HEAD") return head();
  if (const RecordId* branch = named(branches, text, "refs/heads/")) return commit(*branch);
  if (const RecordId* tag = named(tags, text, "refs/tags/")) return commit(*tag);
  for (auto one = commits.rbegin(); one != commits.rend(); ++one) {
    if (text == one->oid || text == one->record.hex()) return &*one;
  }
  return nullptr;
}

HfFile generated_file(std::string path, std::string text) {
  HfFile file;
  file.path = std::move(path);
  file.size = text.size();
  file.digest = sha256(view(text));
  file.git_oid = git_blob_oid(view(text));
  file.text = std::make_shared<const std::string>(std::move(text));
  return file;
}

HfFile large_file(std::string path, const Digest& digest, std::uint64_t size) {
  HfFile file;
  file.path = std::move(path);
  file.size = size;
  file.digest = digest;
  file.git_oid = git_blob_oid(view(lfs_pointer(digest, size)));
  file.lfs = true;
  return file;
}

std::optional<HfRepo> HfCatalog::find(const HfName& name) const {
  return log_.read([&](const Folded& log) -> std::optional<HfRepo> {
    if (name.space != kRunsSpace) {
      const fold::Repo* repo = log.repos.find(repo_type(name.type), name.id());
      if (repo == nullptr) return std::nullopt;
      return uploaded_repo(*repo);
    }
    const fold::RunState* run = log.state.run_named(name.name);
    if (run == nullptr) return std::nullopt;
    return run_repo(log, *run, name.type, HfExtent::all_commits);
  });
}

std::vector<HfRepo> HfCatalog::list(HfType type) const {
  return log_.read([&](const Folded& log) {
    std::vector<HfRepo> all;
    for (const RecordId& id : log.run_order) {
      all.push_back(run_repo(log, *log.state.run(id), type, HfExtent::newest_commit));
    }
    for (const auto& [key, repo] : log.repos.repos) {
      if (key.first == repo_type(type)) all.push_back(uploaded_repo(repo));
    }
    return all;
  });
}

Result<HfTree> HfCatalog::run_tree(const HfRepo& repo, const HfCommit& commit) const {
  // The manifest is read outside the lock: it is a file.
  std::optional<Digest> manifest;
  Result<HfTree> tree = fail(ErrorCode::not_found, "no such repository");
  log_.read([&](const Folded& log) {
    const fold::RunState* run = log.state.run_named(repo.name.name);
    if (run == nullptr) return;
    if (repo.name.type == HfType::dataset) {
      manifest = run->data.digest;
    } else {
      tree = run_model_tree(log, *run, commit);
    }
  });
  if (!manifest) return tree;
  auto bytes = blobs_.get(*manifest);
  if (!bytes) return wrap(bytes.error(), "the run's data manifest");
  log_.read([&](const Folded& log) {
    const fold::RunState* run = log.state.run_named(repo.name.name);
    if (run != nullptr) tree = run_data_tree(log, *run, commit, *bytes);
  });
  return tree;
}

Result<HfTree> HfCatalog::uploaded_tree(const HfRepo& repo, const HfCommit& commit) const {
  HfTree tree;
  tree.commit = commit;
  std::optional<BlobRef> manifest;
  log_.read([&](const Folded& log) {
    const fold::Repo* found = log.repos.find(repo_type(repo.name.type), repo.name.id());
    if (found == nullptr) return;
    for (const fold::RepoRevision& revision : found->revisions) {
      if (revision.place.id == commit.record) manifest = revision.tree;
    }
  });
  if (!manifest) return tree;  // the repository's own record: no files yet
  auto bytes = blobs_.get(manifest->digest);
  if (!bytes) return wrap(bytes.error(), "the revision's tree manifest");
  auto files = format::parse_tree(*bytes);
  if (!files) return files.error();
  for (format::TreeFile& from : *files) {
    HfFile file;
    file.path = std::move(from.path);
    file.size = from.size;
    file.digest = from.digest;
    file.git_oid = std::move(from.git_oid);
    file.lfs = from.lfs;
    tree.files.push_back(std::move(file));
  }
  return tree;
}

Result<HfTree> HfCatalog::make_tree(const HfRepo& repo, const HfCommit& commit) const {
  return repo.name.space == kRunsSpace ? run_tree(repo, commit) : uploaded_tree(repo, commit);
}

Result<std::shared_ptr<const HfTree>> HfCatalog::tree(const HfRepo& repo, const HfCommit& commit) {
  const std::string key =
      std::string(plural(repo.name.type)) + "/" + repo.name.id() + "@" + commit.record.hex();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, tree] : recent_) {
      if (name == key) return tree;
    }
  }
  auto made = make_tree(repo, commit);
  if (!made) return made.error();
  auto tree = std::make_shared<const HfTree>(*std::move(made));
  const std::lock_guard lock(mutex_);
  if (recent_.size() >= kTreesKept) recent_.erase(recent_.begin());
  recent_.emplace_back(key, tree);
  return std::shared_ptr<const HfTree>(tree);
}

}  // namespace harambee::hub

#include "hub/hf_last_commit.h"

#include <algorithm>
#include <memory>

#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

// A GGUF has no id before it is made; the weights in it have.
bool same(const HfFile& a, const HfFile& b) {
  if (a.weights && b.weights) return a.weights->digest == b.weights->digest;
  return a.git_oid == b.git_oid;
}

// What the hub writes itself for a run is the same for all of its rounds, but for the card.
bool never_changes(const HfRepo& repo, const HfFile& file) {
  return repo.name.space == kRunsSpace && file.text && file.path != "README.md";
}

}  // namespace

Result<HfLastCommits> HfLastCommits::make(HfCatalog& catalog, const HfRepo& repo,
                                          const HfTree& tree) {
  HfLastCommits out;
  std::vector<std::size_t> open;  // files whose change has not been found
  for (const HfFile& file : tree.files) {
    if (!never_changes(repo, file)) open.push_back(out.files_.size());
    out.files_.emplace_back(file.path, 0);
  }
  std::size_t files_read = 0;
  for (const HfCommit* at = repo.commit(tree.commit.record); at != nullptr && !open.empty();) {
    const std::size_t position = out.commits_.size();
    out.commits_.push_back(*at);
    const HfCommit* before = at->parent ? repo.commit(*at->parent) : nullptr;
    std::shared_ptr<const HfTree> older;
    if (before != nullptr && position < kLookBackCommits && files_read < kLookBackFiles) {
      auto made = catalog.tree(repo, *before);
      if (!made) return made.error();
      older = *std::move(made);
      files_read += older->files.size();
    }
    std::erase_if(open, [&](std::size_t i) {
      const HfFile* then = older ? older->find(tree.files[i].path) : nullptr;
      if (then != nullptr && same(*then, tree.files[i])) return false;
      out.files_[i].second = position;
      return true;
    });
    at = before;
  }
  const std::size_t first = out.commits_.size();
  out.commits_.push_back(repo.commits.front());
  for (std::size_t i = 0; i < tree.files.size(); ++i) {
    if (never_changes(repo, tree.files[i])) out.files_[i].second = first;
  }
  return out;
}

void HfLastCommits::add_to(JsonObject& entry) const {
  const auto found = entry.find("path");
  const std::string* path = found == entry.end() ? nullptr : found->second.string();
  if (path == nullptr) return;
  auto file =
      std::ranges::lower_bound(files_, *path, {}, &std::pair<std::string, std::size_t>::first);
  std::size_t newest = commits_.size();
  if (file != files_.end() && file->first == *path) {
    newest = file->second;
  } else {
    const std::string head = *path + "/";
    file = std::ranges::lower_bound(files_, head, {}, &std::pair<std::string, std::size_t>::first);
    for (; file != files_.end() && file->first.starts_with(head); ++file) {
      newest = std::min(newest, file->second);
    }
  }
  if (newest == commits_.size()) return;
  const HfCommit& commit = commits_[newest];
  entry.emplace(
      "lastCommit",
      JsonObject{{"date", iso_time(commit.ms)}, {"id", commit.oid}, {"title", commit.title}});
}

}  // namespace harambee::hub

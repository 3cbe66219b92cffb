#include "hub/hf_commit.h"

#include <map>
#include <set>

#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

using Files = std::map<std::string, format::TreeFile, std::less<>>;

Status apply(const HfPutFile& put, BlobShelf& blobs, Files& files) {
  const Digest digest = sha256(put.content);
  if (auto kept = blobs.put(digest, put.content); !kept) return kept;
  files[put.path] = {put.path, put.content.size(), digest, git_blob_oid(put.content), false};
  return ok();
}

Status apply(const HfPutLarge& put, BlobShelf& blobs, Files& files) {
  const auto there = blobs.size(put.digest);
  if (!there || (put.size && *put.size != *there)) {
    return fail(ErrorCode::not_found, put.path + ": its bytes were not uploaded");
  }
  const std::string pointer = lfs_pointer(put.digest, *there);
  files[put.path] = {put.path, *there, put.digest, git_blob_oid(view(pointer)), true};
  return ok();
}

Status apply(const HfDelete& gone, BlobShelf&, Files& files) {
  bool found = files.erase(gone.path) > 0;
  std::string folder = gone.path;
  while (gone.folder && folder.ends_with('/')) folder.pop_back();
  if (gone.folder) {
    found = std::erase_if(
                files, [&](const auto& one) { return one.first.starts_with(folder + "/"); }) > 0 ||
            found;
  }
  if (!found) return fail(ErrorCode::not_found, gone.path + ": there is nothing to delete");
  return ok();
}

}  // namespace

Result<HfNextTree> next_tree(const HfTree& old, const HfCommitRequest& request, BlobShelf& blobs) {
  Files files;
  std::set<Digest> known;
  for (const HfFile& file : old.files) {
    files[file.path] = {file.path, file.size, file.digest, file.git_oid, file.lfs};
    known.insert(file.digest);
  }
  const Files before = files;
  for (const HfOperation& operation : request.operations) {
    const auto& path =
        std::visit([](const auto& one) -> const std::string& { return one.path; }, operation);
    const bool deletes = std::holds_alternative<HfDelete>(operation);
    if (!deletes && !format::is_tree_path(path)) return invalid("a path that is not allowed");
    const Status done =
        std::visit([&](const auto& one) { return apply(one, blobs, files); }, operation);
    if (!done) return done.error();
  }
  HfNextTree next;
  next.same = files == before;
  for (auto& [path, file] : files) {
    if (known.insert(file.digest).second) next.new_bytes += file.size;
    next.files.push_back(std::move(file));
  }
  if (auto good = format::check_tree(next.files); !good) return good.error();
  return next;
}

}  // namespace harambee::hub

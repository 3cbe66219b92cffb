#include "format/tree.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"

namespace harambee::format {
namespace {

constexpr std::size_t kGitOidDigits = 40;

bool by_path(const TreeFile& a, const TreeFile& b) { return a.path < b.path; }

// `files` are sorted by path. "a" beside "a/b": between them only names that begin with "a" and a
// character below '/' may come, so each path is looked up among the folders of its successors.
Status no_folder_is_a_file(const std::vector<TreeFile>& files) {
  for (const TreeFile& file : files) {
    for (std::size_t slash = file.path.find('/'); slash != std::string::npos;
         slash = file.path.find('/', slash + 1)) {
      TreeFile folder;
      folder.path = file.path.substr(0, slash);
      if (std::binary_search(files.begin(), files.end(), folder, by_path)) {
        return invalid("tree: " + folder.path + " is a file and a folder");
      }
    }
  }
  return ok();
}

Status check_sorted(const std::vector<TreeFile>& files) {
  if (files.size() > kTreeFilesMax) return fail(ErrorCode::limit, "tree: too many files");
  for (std::size_t i = 0; i < files.size(); ++i) {
    const TreeFile& file = files[i];
    if (!is_tree_path(file.path)) return invalid("tree: a path that is not allowed");
    if (i > 0 && !(files[i - 1].path < file.path)) {
      return invalid("tree: " + file.path + " is there twice, or out of order");
    }
    if (file.size > kTreeFileBytesMax) return fail(ErrorCode::limit, "tree: size");
    const auto raw = from_hex(file.git_oid);
    if (file.git_oid.size() != kGitOidDigits || !raw) return invalid("tree: git is no object id");
  }
  return no_folder_is_a_file(files);
}

Result<TreeFile> read_file(const Json& json) {
  const JsonObject* object = json.object();
  if (object == nullptr || object->size() != 5) return invalid("tree: a file has five members");
  const Json* path = json.find("path");
  const Json* size = json.find("size");
  const Json* digest = json.find("digest");
  const Json* git = json.find("git");
  const Json* lfs = json.find("lfs");
  const bool there = path && size && digest && git && lfs && path->string() && size->integer() &&
                     digest->string() && git->string() && lfs->boolean();
  if (!there || *size->integer() < 0) return invalid("tree: a file lacks a member");
  const auto parsed = Digest::from_hex(*digest->string());
  if (!parsed) return wrap(parsed.error(), "tree");
  return TreeFile{*path->string(), static_cast<std::uint64_t>(*size->integer()), *parsed,
                  *git->string(), *lfs->boolean()};
}

}  // namespace

bool is_tree_path(std::string_view path) {
  if (path.empty() || path.size() > kTreePathBytesMax) return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  }
  // The JSON parser is the judge of UTF-8.
  if (!parse_canonical(view(write(Json(path))))) return false;
  while (true) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    if (part.size() == path.size()) return true;
    path.remove_prefix(part.size() + 1);
  }
}

Result<std::vector<TreeFile>> parse_tree(View bytes) {
  if (bytes.size() > kTreeBytesMax) return fail(ErrorCode::limit, "tree: too large");
  const auto json = parse_canonical(bytes);
  if (!json) return wrap(json.error(), "tree");
  const JsonObject* object = json->object();
  const Json* list = json->find("files");
  const Json* version = json->find("v");
  if (object == nullptr || object->size() != 2 || list == nullptr || list->array() == nullptr ||
      version == nullptr || *version != Json(1)) {
    return invalid("tree: no object of \"files\" and \"v\":1");
  }
  if (list->array()->size() > kTreeFilesMax) return fail(ErrorCode::limit, "tree: too many files");
  std::vector<TreeFile> files;
  for (const Json& one : *list->array()) {
    auto file = read_file(one);
    if (!file) return file.error();
    files.push_back(*std::move(file));
  }
  if (auto good = check_sorted(files); !good) return good.error();
  return files;
}

Bytes write_tree(std::vector<TreeFile> files) {
  std::sort(files.begin(), files.end(), by_path);
  JsonArray list;
  for (TreeFile& file : files) {
    list.push_back(JsonObject{{"digest", file.digest.hex()},
                              {"git", std::move(file.git_oid)},
                              {"lfs", file.lfs},
                              {"path", std::move(file.path)},
                              {"size", file.size}});
  }
  return to_bytes(write(Json(JsonObject{{"files", std::move(list)}, {"v", 1}})));
}

Status check_tree(std::vector<TreeFile> files) {
  std::sort(files.begin(), files.end(), by_path);
  return check_sorted(files);
}

}  // namespace harambee::format

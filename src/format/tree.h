// The tree manifest: all files of one revision of a repository (spec/huggingface.md). A blob named
// by a `revision` record, media type application/vnd.harambee.tree.v1+json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee::format {

inline constexpr std::string_view kTreeType = "application/vnd.harambee.tree.v1+json";
inline constexpr std::size_t kTreeFilesMax = 20'000;
inline constexpr std::size_t kTreePathBytesMax = 1'024;
inline constexpr std::uint64_t kTreeFileBytesMax = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kTreeBytesMax = 32u << 20;  // of the manifest itself

struct TreeFile {
  std::string path;
  std::uint64_t size = 0;
  Digest digest;        // SHA-256 of the file: the blob
  std::string git_oid;  // what git calls the file, or its pointer if it is in LFS; 40 hex digits
  bool lfs = false;     // uploaded as a large file
  bool operator==(const TreeFile&) const = default;
};

// 1 … kTreePathBytesMax bytes of UTF-8: parts between single '/', none of them empty, "." or "..",
// without control characters and '\'.
[[nodiscard]] bool is_tree_path(std::string_view path);

// Canonical JSON {"files":[{"digest","git","lfs","path","size"}…],"v":1}, sorted by path bytewise;
// anything else is refused, and so is a path that occurs twice or is also a folder.
[[nodiscard]] Result<std::vector<TreeFile>> parse_tree(View bytes);
// Sorts; otherwise the list must keep the rules above: check_tree() says whether it does.
[[nodiscard]] Bytes write_tree(std::vector<TreeFile> files);
[[nodiscard]] Status check_tree(std::vector<TreeFile> files);

}  // namespace harambee::format

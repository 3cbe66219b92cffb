// Reads what Hugging Face clients send (spec/huggingface.md §3): JSON that is not canonical, from
// strangers. Everything is bounded before it is looked at; unknown members are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee::hub {

inline constexpr std::size_t kHfFilesAtOnceMax = 1000;  // clients send at most 256
inline constexpr std::size_t kHfOperationsMax = 20'000;

// Body of paths-info: a form "paths=a&paths=b&expand=true", or JSON {"paths":[…],"expand":true}.
struct HfPaths {
  std::vector<std::string> paths;
  bool expand = false;
};
[[nodiscard]] Result<HfPaths> parse_paths(View body);

// POST /api/repos/create
struct HfCreate {
  std::string name;
  std::string organization;  // empty: the account's own
  std::string type;          // empty: model
  bool wants_private = false;
};
[[nodiscard]] Result<HfCreate> parse_create(View body);

// POST …/branch/{name} and …/tag/{rev}; empty: not said. No body is an empty one.
struct HfRef {
  std::string starting_point;
  std::string tag;
};
[[nodiscard]] Result<HfRef> parse_ref(View body);

// PUT …/settings: whether it would hide anything from anybody.
struct HfSettings {
  bool hides = false;
};
[[nodiscard]] Result<HfSettings> parse_settings(View body);

// POST …/preupload/{rev}
struct HfPreuploadFile {
  std::string path;
  std::uint64_t size = 0;
};
[[nodiscard]] Result<std::vector<HfPreuploadFile>> parse_preupload(View body);

// POST …/info/lfs/objects/batch
struct HfLfsObject {
  Digest digest;
  std::uint64_t size = 0;
};
struct HfLfsBatch {
  std::string operation;   // "upload", "download"
  bool multipart = false;  // the client can send a file in parts
  std::vector<HfLfsObject> objects;
};
[[nodiscard]] Result<HfLfsBatch> parse_lfs_batch(View body);

// POST …/commit/{rev}: lines of JSON, in order.
struct HfPutFile {
  std::string path;
  Bytes content;
};
struct HfPutLarge {
  std::string path;
  Digest digest;
  std::optional<std::uint64_t> size;  // absent in copies
};
struct HfDelete {
  std::string path;
  bool folder = false;
};
using HfOperation = std::variant<HfPutFile, HfPutLarge, HfDelete>;

struct HfCommitRequest {
  std::string summary;
  std::string description;
  std::string parent;  // a commit's digits; empty: whatever the head is
  std::vector<HfOperation> operations;
};
// Refuses what it does not know: a commit is applied whole or not at all.
[[nodiscard]] Result<HfCommitRequest> parse_commit(View body);

}  // namespace harambee::hub

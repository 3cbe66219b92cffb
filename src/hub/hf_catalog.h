// Runs and uploads as Hugging Face tools see them: repositories with commits and files
// (spec/huggingface.md).
// Every run is the model repository runs/<name>, whose revisions are its rounds, and the data set
// runs/<name>, which is its data manifest.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "fold/repos.h"
#include "format/gguf.h"
#include "hub/log_folder.h"
#include "hub/shelf.h"

namespace harambee::hub {

// The namespace of runs; nobody else can have it.
inline constexpr std::string_view kRunsSpace = "runs";

enum class HfType { model, dataset };
[[nodiscard]] fold::RepoType repo_type(HfType type);
[[nodiscard]] const char* plural(HfType type);  // "models", "datasets"
[[nodiscard]] const char* prefix(HfType type);  // "", "datasets/"

struct HfName {
  HfType type = HfType::model;
  std::string space;
  std::string name;
  [[nodiscard]] std::string id() const { return space + "/" + name; }
};

struct HfCommit {
  std::string oid;  // the first 40 hex digits of the record's id
  RecordId record;
  std::optional<RecordId> parent;  // none: the first
  std::string title;
  std::string message;
  std::string author;
  std::int64_t ms = 0;  // log time
};

// Weights that the updates of a run lead to, as one of the files that are made of them.
struct HfWeights {
  RecordId run;
  std::int64_t round = 0;  // the weights at its opening
  Digest digest;           // of the safetensors file: it is on the log
  std::uint64_t size = 0;
  std::optional<format::GgufType> gguf;  // this file is a GGUF of them
};

struct HfFile {
  std::string path;
  std::uint64_t size = 0;
  Digest digest;        // SHA-256 of the bytes; zeros in a GGUF until it has been made
  std::string git_oid;  // of the bytes, or of the pointer if lfs
  bool lfs = false;
  std::shared_ptr<const std::string> text;  // the bytes, if the hub writes them itself
  std::optional<HfWeights> weights;         // the bytes can be computed; no text then
  // Neither: a blob.
};

struct HfTree {
  HfCommit commit;
  std::vector<HfFile> files;  // sorted by path, bytewise
  [[nodiscard]] const HfFile* find(std::string_view path) const;
  // The file whose digest is not known until it has been made; null: there is none.
  [[nodiscard]] const HfFile* unnamed() const;
};

// A repository without its files.
struct HfRepo {
  HfName name;
  std::string author;
  std::int64_t created_ms = 0;
  std::vector<HfCommit> commits;  // of all branches, in log order; those of a run lie on one line
  std::vector<std::pair<std::string, RecordId>> branches;  // "main" first, unless there is none
  std::vector<std::pair<std::string, RecordId>> tags;
  std::vector<std::string> labels;  // what Hugging Face calls tags of a model
  std::uint64_t parameters = 0;     // of a run's model
  std::string architecture;         // for config.architectures; empty: unknown

  // A branch, a tag ("refs/heads/…" and "refs/tags/…" too), a commit's 40 digits, a record's 64.
  [[nodiscard]] const HfCommit* revision(std::string_view text) const;
  [[nodiscard]] const HfCommit* commit(const RecordId& record) const;
  [[nodiscard]] const HfCommit* head() const;  // of main; null if nothing is there yet
  [[nodiscard]] const HfCommit* head(std::string_view branch) const;  // null: no such branch
};

[[nodiscard]] HfFile generated_file(std::string path, std::string text);
[[nodiscard]] HfFile large_file(std::string path, const Digest& digest, std::uint64_t size);

// Thread-safe; what it borrows outlives it.
class HfCatalog {
 public:
  HfCatalog(const LogFolder& log, BlobShelf& blobs) : log_(log), blobs_(blobs) {}

  [[nodiscard]] std::optional<HfRepo> find(const HfName& name) const;
  [[nodiscard]] std::vector<HfRepo> list(HfType type) const;
  // The files of one commit of the repository. not_found: a manifest is not on this hub (yet).
  [[nodiscard]] Result<std::shared_ptr<const HfTree>> tree(const HfRepo& repo,
                                                           const HfCommit& commit);

 private:
  [[nodiscard]] Result<HfTree> make_tree(const HfRepo& repo, const HfCommit& commit) const;
  [[nodiscard]] Result<HfTree> run_tree(const HfRepo& repo, const HfCommit& commit) const;
  [[nodiscard]] Result<HfTree> uploaded_tree(const HfRepo& repo, const HfCommit& commit) const;

  const LogFolder& log_;
  BlobShelf& blobs_;
  std::mutex mutex_;
  // The newest last; trees never change, so this is a matter of speed alone.
  std::vector<std::pair<std::string, std::shared_ptr<const HfTree>>> recent_;
};

}  // namespace harambee::hub

// Where an auditor reads a log and its blobs from: a hub over HTTP, or the hub's data directory
// without a running hub. Nothing that comes out of here is believed (node/verify.h checks it).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "port/wire.h"

namespace harambee::node {

// A read-only view of bytes that live as long as the object: a mapped file, or bytes in memory.
class Content {
 public:
  explicit Content(Bytes bytes) : owned_(std::move(bytes)), view_(owned_) {}
  [[nodiscard]] static Result<Content> map(const std::filesystem::path& file);
  Content(Content&& other) noexcept;
  Content& operator=(Content&& other) noexcept;
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content();

  [[nodiscard]] View bytes() const { return view_; }

 private:
  Content() = default;
  Bytes owned_;
  void* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  View view_;
};

// Thread-safe.
class LogSource {
 public:
  virtual ~LogSource() = default;
  // What people are told: the hub's URL or the directory.
  [[nodiscard]] virtual std::string where() const = 0;
  // The file at a tlog-tiles path: "checkpoint", "tile/0/000.p/12", "tile/entries/000", ….
  // not_found: it is not there. Unchecked.
  [[nodiscard]] virtual Result<Content> file(const std::string& path) = 0;
  // The blob. not_found: it is not there. Unchecked: the caller hashes.
  [[nodiscard]] virtual Result<Content> blob(const Digest& digest) = 0;
  // Everything stored below "tile/" and in "blobs/" as far as the source can list it (a
  // directory can, a hub cannot and answers nothing), so that left-over files are checked too.
  [[nodiscard]] virtual Result<std::vector<std::string>> stored_tiles() = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> stored_blobs() = 0;
};

// A hub's data directory (format "harambee-hub 1"). invalid: another format, or no hub directory.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_directory_source(
    const std::filesystem::path& dir);
// A hub at http://host:port, blobs kept in `cache` so that a second audit need not fetch them.
// The wire must outlive the source.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_hub_source(
    Wire& wire, const std::string& hub_url, const std::filesystem::path& cache);

}  // namespace harambee::node

// Where an auditor reads a log and its blobs from: a hub over HTTP, or the hub's data directory
// without a running hub. Nothing that comes out of here is believed (node/verify.h checks it).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "port/wire.h"
#include "store/file.h"

namespace harambee::node {

// Bytes that live as long as the object: a mapped file, or memory. Movable.
class Content {
 public:
  Content(Bytes bytes) : held_(std::move(bytes)) {}            // NOLINT: conversion is the point
  Content(store::MappedFile file) : held_(std::move(file)) {}  // NOLINT

  [[nodiscard]] View bytes() const {
    if (const auto* bytes = std::get_if<Bytes>(&held_)) return *bytes;
    return std::get<store::MappedFile>(held_).bytes();
  }

 private:
  std::variant<Bytes, store::MappedFile> held_;
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
  // The path of a file with the blob's bytes, for programs that map files. Unchecked.
  [[nodiscard]] virtual Result<std::string> blob_file(const Digest& digest) = 0;
  // Paths of everything stored below "tile/" and "blobs/", so that left-over files are checked
  // too. A directory can list them; a hub cannot and answers nothing.
  [[nodiscard]] virtual Result<std::vector<std::string>> stored_files() = 0;
};

// A hub's data directory. invalid: another format version, or no hub's directory at all.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_directory_source(const std::string& dir);

struct HubSourceOptions {
  // Blobs are kept here (…/<hex>) so that a second audit need not fetch them. Not empty.
  std::string cache_dir;
  std::int64_t timeout_ms = 60'000;
};
// A hub at http://host:port. The wire must outlive the source.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_hub_source(Wire& wire,
                                                                 const std::string& hub_url,
                                                                 const HubSourceOptions& options);

}  // namespace harambee::node

// Where the hub's files lie. Names are relative paths such as "tile/0/000" or "checkpoint".
// Backends: store/file_shelf.h, store/memory_shelf.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "port/blobs.h"

namespace harambee::hub {

// Small files, written whole. Thread-safe.
class Shelf {
 public:
  virtual ~Shelf() = default;
  // not_found when it is not there.
  [[nodiscard]] virtual Result<Bytes> read(const std::string& name) = 0;
  // Durable when it returns ok; a reader sees the old bytes or the new, never a mixture.
  [[nodiscard]] virtual Status replace(const std::string& name, View bytes) = 0;
  // The same for files that never change: ok if these very bytes are there already, corrupt if
  // others are.
  [[nodiscard]] virtual Status create(const std::string& name, View bytes) = 0;
  // Removes a folder with the files in it (not deeper); fine when it is not there.
  [[nodiscard]] virtual Status remove_folder(const std::string& name) = 0;
  // Path for a reader that wants to send the file without copying, if there is one.
  [[nodiscard]] virtual std::optional<std::string> path(const std::string& name) = 0;
  // Free space for ordinary users; the hub refuses writes below its low-water mark.
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes() = 0;
};

// Blobs with resumable uploads. Uploads of one blob may run side by side in lanes, so that nobody
// can stand in another's way; lane 0 is kept when its sender goes away, and can be resumed.
// Thread-safe, but one sender per lane (the caller's business).
class BlobShelf : public Blobs {
 public:
  [[nodiscard]] virtual std::optional<std::uint64_t> size(const Digest& digest) = 0;
  [[nodiscard]] virtual std::optional<std::string> path(const Digest& digest) = 0;
  // Bytes of an unfinished upload in lane 0 that are there already.
  [[nodiscard]] virtual std::uint64_t upload_offset(const Digest& digest) = 0;
  // Writes at the end of the unfinished upload; conflict when `offset` is not its end, except
  // that offset 0 starts it afresh.
  [[nodiscard]] virtual Status upload(const Digest& digest, unsigned lane, std::uint64_t offset,
                                      View bytes) = 0;
  // Reads the upload back, compares its digest, makes it durable and visible. invalid: another
  // digest or size; the upload is thrown away.
  [[nodiscard]] virtual Status finish_upload(const Digest& digest, unsigned lane,
                                             std::uint64_t size) = 0;
  // Throws an unfinished upload away.
  virtual void drop_upload(const Digest& digest, unsigned lane) = 0;
  // Forgets a blob; fine when it is not there. Whoever has it open reads on.
  [[nodiscard]] virtual Status remove(const Digest& digest) = 0;
};

}  // namespace harambee::hub

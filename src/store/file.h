// Files, durably. Every function says what the operating system said.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::store {

// not_found; limit when it is larger than bytes_max.
[[nodiscard]] Result<Bytes> read_file(const std::string& path, std::uint64_t bytes_max);

// Readers see the old file or the new one; when it returns ok the new one survives a power cut:
// temporary file (O_EXCL), fsync, rename, fsync of the folder. Folders are made as needed.
[[nodiscard]] Status write_file_atomic(const std::string& path, View bytes, unsigned mode = 0644);

// Like mkdir -p, and durable.
[[nodiscard]] Status make_folders(const std::string& path);
[[nodiscard]] Status sync_folder(const std::string& path);

// A read-only view of a whole file; stays valid when the file is renamed or deleted. Whoever
// truncates a mapped file ends this program (SIGBUS), so map only files that are never rewritten
// in place.
class MappedFile {
 public:
  [[nodiscard]] static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  [[nodiscard]] View bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Held by one process at a time; given back on destruction and by the kernel on a crash.
class FileLock {
 public:
  // conflict: another process holds it.
  [[nodiscard]] static Result<FileLock> take(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace harambee::store

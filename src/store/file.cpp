#include "store/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "store/descriptor.h"

namespace harambee::store {

Error os_error(const std::string& what, const std::string& path) {
  const int error = errno;
  const ErrorCode code = error == ENOENT ? ErrorCode::not_found : ErrorCode::io;
  return fail(code, what + " " + path + ": " + std::strerror(error));
}

Status write_all(const Descriptor& file, View bytes, std::uint64_t offset,
                 const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return os_error("write", path);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return ok();
}

Result<Bytes> read_file(const std::string& path, std::uint64_t bytes_max) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return os_error("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return os_error("stat", path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::io, path + " is not a file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > bytes_max) {
    return fail(ErrorCode::limit, path + " has " + std::to_string(size) + " bytes, more than " +
                                      std::to_string(bytes_max));
  }
  Bytes bytes(size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0) {
      if (errno == EINTR) continue;
      return os_error("read", path);
    }
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Status sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return os_error("open", path);
  if (::fsync(folder.get()) != 0) return os_error("fsync", path);
  return ok();
}

namespace {

std::string parent(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Unique among the processes and threads of this machine; leftovers of a crash are harmless.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return path + ".tmp-" + std::to_string(::getpid()) + "-" +
         std::to_string(counter.fetch_add(1, std::memory_order_relaxed));
}

}  // namespace

Status make_folders(const std::string& path) {
  if (path.empty() || path == "/" || path == ".") return ok();
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return ok();
    return fail(ErrorCode::io, path + " is not a folder");
  }
  const std::string above = parent(path);
  if (auto made = make_folders(above); !made) return made;
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return os_error("mkdir", path);
  return sync_folder(above);
}

Status write_file_atomic(const std::string& path, View bytes, unsigned mode) {
  const std::string folder = parent(path);
  if (auto made = make_folders(folder); !made) return made;
  const std::string temporary = temporary_name(path);
  // With the pid in its name, an old leftover can only be of a dead process.
  ::unlink(temporary.c_str());
  auto written = [&]() -> Status {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file) return os_error("create", temporary);
    if (auto status = write_all(file, bytes, 0, temporary); !status) return status;
    if (::fsync(file.get()) != 0) return os_error("fsync", temporary);
    if (!file.close()) return os_error("close", temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return os_error("rename", path);
    return ok();
  }();
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_folder(folder);
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return os_error("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return os_error("stat", path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::io, path + " is not a file");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return os_error("map", path);
  return MappedFile(static_cast<const std::uint8_t*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

Result<FileLock> FileLock::take(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return os_error("open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(ErrorCode::conflict, path + " is held by another process");
    return os_error("lock", path);
  }
  return FileLock(file.release());
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace harambee::store

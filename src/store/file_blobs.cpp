#include "store/file_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "store/descriptor.h"
#include "store/file.h"

namespace harambee::store {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

std::optional<std::uint64_t> file_size(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

Result<Digest> hash_file(const Descriptor& file, const std::string& path) {
  Sha256 hash;
  Bytes buffer(kReadBytes);
  std::uint64_t offset = 0;
  for (;;) {
    const ssize_t n = ::pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return os_error("read", path);
    }
    if (n == 0) return hash.finish();
    hash.update(View(buffer.data(), static_cast<std::size_t>(n)));
    offset += static_cast<std::uint64_t>(n);
  }
}

class FileBlobs : public hub::BlobShelf {
 public:
  FileBlobs(std::string dir, std::uint64_t bytes_max)
      : dir_(std::move(dir)), bytes_max_(bytes_max) {}

  Result<Bytes> get(const Digest& want) override {
    auto bytes = read_file(blob_path(want), bytes_max_);
    if (!bytes) return bytes;
    if (sha256(*bytes) != want) {
      return fail(ErrorCode::corrupt, blob_path(want) + " does not have the digest of its name");
    }
    return bytes;
  }

  Status put(const Digest& digest, View bytes) override {
    if (sha256(bytes) != digest) return invalid("the bytes do not have digest " + digest.hex());
    if (has(digest)) return ok();
    return write_file_atomic(blob_path(digest), bytes, 0444);
  }

  bool has(const Digest& digest) const override { return file_size(blob_path(digest)).has_value(); }

  std::optional<std::uint64_t> size(const Digest& digest) override {
    return file_size(blob_path(digest));
  }

  std::optional<std::string> path(const Digest& digest) override { return blob_path(digest); }

  std::uint64_t upload_offset(const Digest& digest) override {
    return file_size(part_path(digest, 0)).value_or(0);
  }

  Status upload(const Digest& digest, unsigned lane, std::uint64_t offset, View bytes) override {
    const std::string path = part_path(digest, lane);
    const int fresh = offset == 0 ? O_TRUNC : 0;
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | fresh, 0644));
    if (!file) return os_error("open", path);
    const std::uint64_t end = file_size(path).value_or(0);
    if (end != offset) {
      return fail(ErrorCode::conflict, "the upload continues at byte " + std::to_string(end));
    }
    return write_all(file, bytes, offset, path);
  }

  void drop_upload(const Digest& digest, unsigned lane) override {
    ::unlink(part_path(digest, lane).c_str());
  }

  Status remove(const Digest& digest) override {
    const std::string path = blob_path(digest);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_error("unlink", path);
    return ok();
  }

  Status finish_upload(const Digest& digest, unsigned lane, std::uint64_t size) override {
    const std::string part = part_path(digest, lane);
    Descriptor file(::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!file) return os_error("open", part);
    auto found = hash_file(file, part);
    if (!found) return found.error();
    const std::uint64_t there = file_size(part).value_or(0);
    if (*found != digest || there != size) {
      ::unlink(part.c_str());
      return invalid("the " + std::to_string(there) + " uploaded bytes have digest " +
                     found->hex() + ", not " + digest.hex());
    }
    if (::fchmod(file.get(), 0444) != 0) return os_error("chmod", part);
    if (::fsync(file.get()) != 0) return os_error("fsync", part);
    const std::string target = blob_path(digest);
    const std::string folder = target.substr(0, target.find_last_of('/'));
    if (auto made = make_folders(folder); !made) return made;
    if (::rename(part.c_str(), target.c_str()) != 0) return os_error("rename", target);
    return sync_folder(folder);
  }

 private:
  [[nodiscard]] std::string blob_path(const Digest& digest) const {
    const std::string name = digest.hex();
    return dir_ + "/blobs/" + name.substr(0, 2) + "/" + name;
  }
  [[nodiscard]] std::string part_path(const Digest& digest, unsigned lane) const {
    const std::string suffix = lane == 0 ? ".part" : "." + std::to_string(lane) + ".lane";
    return dir_ + "/uploads/" + digest.hex() + suffix;
  }

  std::string dir_;
  std::uint64_t bytes_max_;
};

}  // namespace

namespace {

// Lanes cannot be resumed: what a crash left of them is of no use. Nor is a beginning that nobody
// has gone on with for a week: a round's deadline is at most that far away.
void remove_leftovers(const std::string& uploads) {
  namespace fs = std::filesystem;
  const auto oldest = fs::file_time_type::clock::now() - kUnfinishedUploadKept;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(uploads, ignored)) {
    const bool lane = file.path().extension() == ".lane";
    std::error_code unknown;
    const auto written = fs::last_write_time(file.path(), unknown);
    if (lane || (!unknown && written < oldest)) fs::remove(file.path(), ignored);
  }
}

}  // namespace

Result<std::unique_ptr<hub::BlobShelf>> open_file_blobs(const std::string& dir,
                                                        std::uint64_t bytes_max) {
  for (const char* folder : {"/blobs", "/uploads"}) {
    if (auto made = make_folders(dir + folder); !made) return made.error();
  }
  remove_leftovers(dir + "/uploads");
  return std::unique_ptr<hub::BlobShelf>(std::make_unique<FileBlobs>(dir, bytes_max));
}

}  // namespace harambee::store

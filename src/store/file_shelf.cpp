#include "store/file_shelf.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "store/descriptor.h"
#include "store/file.h"

namespace harambee::store {
namespace {

// A full bundle of the largest entries has 16.8 MB (log/tile.h).
constexpr std::uint64_t kShelfFileBytesMax = 64ull << 20;

class FileShelf : public hub::Shelf {
 public:
  explicit FileShelf(std::string dir) : dir_(std::move(dir)) {}

  Result<Bytes> read(const std::string& name) override {
    return read_file(dir_ + "/" + name, kShelfFileBytesMax);
  }

  Status replace(const std::string& name, View bytes) override {
    return write_file_atomic(dir_ + "/" + name, bytes);
  }

  Status create(const std::string& name, View bytes) override {
    const std::string file = dir_ + "/" + name;
    auto there = read_file(file, kShelfFileBytesMax);
    if (there) {
      if (std::equal(there->begin(), there->end(), bytes.begin(), bytes.end())) return ok();
      return fail(ErrorCode::corrupt, file + " holds other bytes than it must");
    }
    if (there.error().code != ErrorCode::not_found) return there.error();
    return write_file_atomic(file, bytes, 0444);
  }

  Status remove_folder(const std::string& name) override {
    const std::string folder = dir_ + "/" + name;
    DIR* handle = ::opendir(folder.c_str());
    if (handle == nullptr) return errno == ENOENT ? ok() : Status(os_error("open", folder));
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(handle)) names.emplace_back(entry->d_name);
    ::closedir(handle);
    for (const auto& file : names) {
      if (file != "." && file != "..") ::unlink((folder + "/" + file).c_str());
    }
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT) return os_error("remove", folder);
    return ok();
  }

  std::optional<std::string> path(const std::string& name) override { return dir_ + "/" + name; }

  Result<std::uint64_t> free_bytes() override {
    struct statvfs info {};
    if (::statvfs(dir_.c_str(), &info) != 0) return os_error("statvfs", dir_);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  std::string dir_;
};

}  // namespace

Result<std::unique_ptr<hub::Shelf>> open_file_shelf(const std::string& dir) {
  if (auto made = make_folders(dir); !made) return made.error();
  return std::unique_ptr<hub::Shelf>(std::make_unique<FileShelf>(dir));
}

}  // namespace harambee::store

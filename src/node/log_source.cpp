#include "node/log_source.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "log/tile.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kHubFormat = "harambee-hub 1\n";
constexpr std::uint64_t kExchangeBytesMax = 4ull << 30;  // one exchange; larger models: --data

std::string blob_path(const Digest& digest) {
  std::string name = digest.hex();
  return "blobs/" + name.substr(0, 2) + "/" + name;
}

class DirectorySource final : public LogSource {
 public:
  explicit DirectorySource(fs::path dir) : dir_(std::move(dir)) {}

  std::string where() const override { return dir_.string(); }
  Result<Content> file(const std::string& path) override {
    // A partial tile may have been deleted once the full one was written (C2SP tlog-tiles).
    Result<Content> content = map(path);
    std::size_t partial = path.find(".p/");
    if (content || partial == std::string::npos || content.error().code != ErrorCode::not_found) {
      return content;
    }
    return map(path.substr(0, partial));
  }
  Result<Content> blob(const Digest& digest) override { return map(blob_path(digest)); }
  Result<std::string> blob_file(const Digest& digest) override {
    return (dir_ / blob_path(digest)).string();
  }

  Result<std::vector<std::string>> stored_files() override {
    std::vector<std::string> found;
    for (const char* part : {"tile", "blobs"}) {
      std::error_code error;
      for (fs::recursive_directory_iterator at(dir_ / part, error), end; !error && at != end;
           at.increment(error)) {
        if (!at->is_directory(error)) found.push_back(fs::relative(at->path(), dir_).string());
      }
      if (error && error != std::errc::no_such_file_or_directory) {
        return fail(ErrorCode::io, (dir_ / part).string() + ": " + error.message());
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  Result<Content> map(const std::string& path) const {
    Result<store::MappedFile> file = store::MappedFile::open((dir_ / path).string());
    if (!file) return file.error();
    return Content(*std::move(file));
  }

  fs::path dir_;
};

class HubSource final : public LogSource {
 public:
  HubSource(Wire& wire, std::string hub_url, HubSourceOptions options)
      : wire_(wire), url_(std::move(hub_url)), options_(std::move(options)) {}

  std::string where() const override { return url_; }
  Result<Content> file(const std::string& path) override {
    Result<Bytes> bytes = get(path, log::kBundleBytesMax);
    std::size_t partial = path.find(".p/");
    if (!bytes && partial != std::string::npos && bytes.error().code == ErrorCode::not_found) {
      bytes = get(path.substr(0, partial), log::kBundleBytesMax);
    }
    if (!bytes) return bytes.error();
    return Content(*std::move(bytes));
  }

  Result<Content> blob(const Digest& digest) override {
    std::string kept = options_.cache_dir + "/" + digest.hex();
    if (Result<store::MappedFile> file = store::MappedFile::open(kept)) {
      if (sha256(file->bytes()) == digest) return Content(*std::move(file));
      fs::remove(kept);  // a damaged copy of ours, not the hub's fault
    }
    Result<Bytes> bytes = get("blobs/" + digest.hex(), kExchangeBytesMax);
    if (!bytes) return bytes.error();
    // Only what is right is kept: the next audit must ask again for what is wrong.
    if (sha256(*bytes) != digest) return Content(*std::move(bytes));
    if (Status written = store::write_file_atomic(kept, *bytes); !written) return written.error();
    return Content(*std::move(bytes));
  }

  Result<std::string> blob_file(const Digest& digest) override {
    Result<Content> content = blob(digest);
    if (!content) return content.error();
    return options_.cache_dir + "/" + digest.hex();
  }

  Result<std::vector<std::string>> stored_files() override { return std::vector<std::string>{}; }

 private:
  Result<Bytes> get(const std::string& path, std::uint64_t bytes_max) {
    WireRequest request;
    request.url = url_ + "/" + path;
    request.timeout_ms = options_.timeout_ms;
    request.response_bytes_max = bytes_max;
    Result<WireResponse> response = wire_.exchange(request);
    if (!response) return wrap(response.error(), url_ + "/" + path);
    if (response->status == 404) return fail(ErrorCode::not_found, "the hub has no " + path);
    if (response->status != 200) {
      return fail(ErrorCode::unavailable,
                  "the hub answered " + std::to_string(response->status) + " for " + path);
    }
    return std::move(response->body);
  }

  Wire& wire_;
  std::string url_;
  HubSourceOptions options_;
};

}  // namespace

Result<std::unique_ptr<LogSource>> open_directory_source(const std::string& dir) {
  std::error_code error;
  if (!fs::is_directory(dir, error)) {
    return fail(ErrorCode::not_found, dir + " is no directory");
  }
  Result<Bytes> format = store::read_file(dir + "/format", 256);
  if (!format) return invalid(dir + " is no hub's data directory: it has no file \"format\"");
  if (text(*format) != kHubFormat) {
    std::string line(text(*format).substr(0, text(*format).find('\n')));
    return invalid(dir + " was written by another version (\"" + line +
                   "\"); this program reads \"harambee-hub 1\"");
  }
  return std::unique_ptr<LogSource>(std::make_unique<DirectorySource>(dir));
}

Result<std::unique_ptr<LogSource>> open_hub_source(Wire& wire, const std::string& hub_url,
                                                   const HubSourceOptions& options) {
  HARAMBEE_CHECK(!options.cache_dir.empty());
  if (Status made = store::make_folders(options.cache_dir); !made) return made.error();
  return std::unique_ptr<LogSource>(std::make_unique<HubSource>(wire, hub_url, options));
}

}  // namespace harambee::node

#include "node/hub_blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

#include "store/file.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFetchBytes = 8u << 20;  // in one exchange
constexpr std::uint64_t kReadBytesMax = 64ull << 30;
constexpr int kAttempts = 3;                   // without progress
constexpr std::int64_t kPauseMs = 300;         // times 1, 2, 4, …
constexpr std::int64_t kBytesPerMsLeast = 16;  // slower than 16 KB/s counts as stalled

std::uint64_t size_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : size;
}

Error io_error(const fs::path& file) {
  return fail(ErrorCode::io, file.string() + ": " + std::strerror(errno));
}

// Appends and, at the end of a transfer, makes durable. A torn append is found by its size.
Status append(const fs::path& file, View bytes) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return io_error(file);
  Status written = ok();
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      written = io_error(file);
      break;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  if (written && ::fdatasync(descriptor) != 0) written = io_error(file);
  ::close(descriptor);
  return written;
}

Result<Digest> digest_of(const fs::path& file) {
  if (size_of(file) == 0) return sha256(View{});
  const auto mapped = store::MappedFile::open(file.string());
  if (!mapped) return mapped.error();
  return sha256(mapped->bytes());
}

}  // namespace

HubBlobs::HubBlobs(std::string hub_url, fs::path dir, Wire* wire, Clock* clock)
    : hub_url_(std::move(hub_url)), dir_(std::move(dir)), wire_(wire), clock_(clock) {}

fs::path HubBlobs::path(const Digest& digest) const {
  const std::string hex = digest.hex();
  return dir_ / hex.substr(0, 2) / hex;
}

bool HubBlobs::has(const Digest& digest) const { return fs::exists(path(digest)); }

Result<Bytes> HubBlobs::get(const Digest& want) {
  auto bytes = store::read_file(path(want).string(), kReadBytesMax);
  if (bytes && sha256(*bytes) != want) {
    return fail(ErrorCode::corrupt, path(want).string() + " is not what its name says");
  }
  return bytes;
}

Status HubBlobs::put(const Digest& digest, View bytes) {
  if (sha256(bytes) != digest) return fail(ErrorCode::corrupt, "a blob with another digest");
  if (has(digest)) return ok();
  return store::write_file_atomic(path(digest).string(), bytes);
}

Status HubBlobs::remove(const Digest& digest) {
  std::error_code error;
  fs::remove(path(digest), error);
  return error ? Status(fail(ErrorCode::io, path(digest).string() + ": " + error.message())) : ok();
}

Result<BlobRef> HubBlobs::adopt(const fs::path& file, std::string type) {
  const auto digest = digest_of(file);
  if (!digest) return digest.error();
  BlobRef ref{*digest, size_of(file), std::move(type)};
  const fs::path place = path(*digest);
  if (Status made = store::make_folders(place.parent_path().string()); !made) return made.error();
  std::error_code error;
  fs::rename(file, place, error);
  if (error) {  // another file system
    const auto bytes = store::read_file(file.string(), kReadBytesMax);
    if (!bytes) return bytes.error();
    if (Status kept = put(*digest, *bytes); !kept) return kept.error();
    fs::remove(file, error);
  }
  return ref;
}

// The next bytes of an unfinished transfer. True: there was progress.
Result<bool> HubBlobs::fetch_chunk(const BlobRef& ref, const fs::path& part) {
  const std::uint64_t offset = size_of(part);
  const std::uint64_t length = std::min(kFetchBytes, ref.size - offset);
  WireRequest request;
  request.url = hub_url_ + "/blobs/" + ref.digest.hex();
  request.headers["range"] = fmt::format("bytes={}-{}", offset, offset + length - 1);
  request.timeout_ms = 30'000 + static_cast<std::int64_t>(length) / kBytesPerMsLeast;
  request.response_bytes_max = length + 4096;
  const auto response = wire_->exchange(request);
  if (!response) return response.error();
  if (response->status == 404) {
    return fail(ErrorCode::not_found, "the hub has no blob " + ref.digest.hex());
  }
  View body = response->body;
  if (response->status == 200) {  // the whole blob, whatever was asked for
    if (body.size() != ref.size) return false;
    body = body.subspan(offset);
  } else if (response->status != 206 || body.size() > length) {
    return false;
  }
  if (body.empty()) return false;
  if (Status appended = append(part, body); !appended) return appended.error();
  return true;
}

Result<fs::path> HubBlobs::fetch(const BlobRef& ref) {
  const fs::path place = path(ref.digest);
  if (fs::exists(place)) return place;
  if (hub_url_.empty() || !wire_) {
    return fail(ErrorCode::not_found, "blob " + ref.digest.hex() + " is not here, and offline");
  }
  if (Status made = store::make_folders(place.parent_path().string()); !made) return made.error();
  const fs::path part = dir_ / (ref.digest.hex() + ".part");
  if (size_of(part) > ref.size) fs::remove(part);
  Error last = fail(ErrorCode::unavailable, "the hub sends nothing of blob " + ref.digest.hex());
  for (int attempt = 0; size_of(part) < ref.size;) {
    const auto progress = fetch_chunk(ref, part);
    if (progress && *progress) {
      attempt = 0;
      continue;
    }
    if (!progress) {
      if (progress.error().code != ErrorCode::unavailable) return progress.error();
      last = progress.error();
    }
    if (++attempt >= kAttempts) return last;
    if (clock_ && !clock_->wait_ms(kPauseMs << (attempt - 1))) {
      return fail(ErrorCode::cancelled, "stopped while fetching");
    }
  }
  if (ref.size == 0) {
    if (Status made = append(part, {}); !made) return made.error();
  }
  const auto digest = digest_of(part);
  if (!digest) return digest.error();
  std::error_code error;
  if (*digest != ref.digest) {
    fs::remove(part, error);
    return fail(ErrorCode::corrupt,
                "the hub's bytes for blob " + ref.digest.hex() + " have digest " + digest->hex());
  }
  fs::rename(part, place, error);
  if (error) return fail(ErrorCode::io, place.string() + ": " + error.message());
  return place;
}

Result<Bytes> HubBlobs::fetch_bytes(const BlobRef& ref) {
  const auto file = fetch(ref);
  if (!file) return file.error();
  return store::read_file(file->string(), ref.size);
}

Result<bool> HubBlobs::hub_has(const BlobRef& ref) {
  if (hub_url_.empty() || !wire_) return fail(ErrorCode::unavailable, "offline");
  WireRequest request;
  request.method = "HEAD";
  request.url = hub_url_ + "/blobs/" + ref.digest.hex();
  const auto response = wire_->exchange(request);
  if (!response) return response.error();
  if (response->status == 200 || response->status == 404) return response->status == 200;
  return fail(ErrorCode::unavailable,
              fmt::format("the hub answered {} to a question for a blob", response->status));
}

// Where the hub's copy ends; ref.size if it is complete.
Result<std::uint64_t> HubBlobs::upload_offset(const BlobRef& ref) {
  const auto complete = hub_has(ref);
  if (!complete) return complete.error();
  if (*complete) return ref.size;
  WireRequest request;
  request.method = "HEAD";
  request.url = hub_url_ + "/uploads/" + ref.digest.hex();
  const auto response = wire_->exchange(request);
  if (!response) return response.error();
  const auto found = response->headers.find("upload-offset");
  if (response->status / 100 != 2 || found == response->headers.end()) return std::uint64_t{0};
  std::uint64_t offset = 0;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), offset);
  return offset < ref.size ? offset : 0;
}

Status HubBlobs::upload(const BlobRef& ref) {
  if (!has(ref.digest)) return fail(ErrorCode::not_found, "blob " + ref.digest.hex() + " is lost");
  if (hub_url_.empty() || !wire_) return fail(ErrorCode::unavailable, "offline");
  const auto mapped = store::MappedFile::open(path(ref.digest).string());
  if (!mapped) return mapped.error();
  Error last;
  // Anybody can leave a wrong beginning to resume from; a whole blob has a lane of its own there.
  bool whole = false;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0 && clock_ && !clock_->wait_ms(kPauseMs << attempt)) {
      return fail(ErrorCode::cancelled, "stopped while uploading");
    }
    const auto offset = whole ? Result<std::uint64_t>(0) : upload_offset(ref);
    if (!offset) {
      if (offset.error().code != ErrorCode::unavailable) return offset.error();
      last = offset.error();
      continue;
    }
    if (*offset == ref.size) return ok();
    WireRequest request;
    request.method = "PUT";
    request.url = hub_url_ + "/blobs/" + ref.digest.hex();
    request.body = mapped->bytes().subspan(*offset);
    if (*offset > 0) {
      request.headers["content-range"] =
          fmt::format("bytes {}-{}/{}", *offset, ref.size - 1, ref.size);
    }
    request.timeout_ms = 30'000 + static_cast<std::int64_t>(ref.size - *offset) / kBytesPerMsLeast;
    request.response_bytes_max = 1u << 20;
    const auto response = wire_->exchange(request);
    if (!response) {
      if (response.error().code != ErrorCode::unavailable) return response.error();
      last = response.error();
      continue;
    }
    if (response->status == 200 || response->status == 201) return ok();
    const std::string said(
        text(View(response->body).first(std::min<std::size_t>(300, response->body.size()))));
    last = fail(ErrorCode::unavailable,
                fmt::format("the hub answered {} to an upload: {}", response->status, said));
    // 202: a part arrived; 409: from another offset; 422: what lay there was spoilt and is gone.
    const bool again = response->status == 202 || response->status == 409 ||
                       response->status == 422 || response->status == 429 ||
                       response->status >= 500;
    if (!again) return fail(ErrorCode::refused, last.message);
    whole = response->status == 409 || response->status == 422;
  }
  return last;
}

}  // namespace harambee::node

#include "trainer/exact/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "format/safetensors.h"

namespace harambee::trainer {
namespace {

static_assert(std::endian::native == std::endian::little, "floats go to files as they lie");

Error io_error(const std::string& path) {
  const ErrorCode code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io;
  return fail(code, path + ": " + std::strerror(errno));
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

View bytes_of(std::span<const float> floats) {
  return {reinterpret_cast<const std::uint8_t*>(floats.data()), floats.size_bytes()};
}

bool all_finite(std::span<const float> floats) {
  // Exponent bits all ones: infinity or NaN. No branch, so that the compiler makes vectors of it.
  std::uint32_t bad = 0;
  for (const float x : floats) {
    bad |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(x) & 0x7f800000u) == 0x7f800000u);
  }
  return bad == 0;
}

bool write_all(int fd, View bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) return io_error(path);
  if (!S_ISREG(info.st_mode)) return invalid(path + ": not a regular file");
  MappedFile file;
  file.size_ = static_cast<std::size_t>(info.st_size);
  if (file.size_ == 0) return file;
  void* const p = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (p == MAP_FAILED) {
    file.size_ = 0;
    return io_error(path);
  }
  file.data_ = static_cast<const std::uint8_t*>(p);
  return file;
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

Result<Digest> write_file(const std::string& path, std::span<const View> parts) {
  const std::string beside = path + ".part";
  Sha256 hash;
  {
    const FileDescriptor fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) return io_error(beside);
    for (const View part : parts) {
      if (!write_all(fd.get(), part)) {
        const Error error = io_error(beside);
        ::unlink(beside.c_str());
        return error;
      }
      hash.update(part);
    }
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) return io_error(path);
  return hash.finish();
}

Status read_weights(const format::ModelLayout& layout, const std::string& path,
                    std::span<float> out) {
  HARAMBEE_CHECK(out.size() == layout.parameters());
  const Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  const auto floats = format::flat_weights(layout, file->view());
  if (!floats) return wrap(floats.error(), path);
  if (!all_finite(*floats)) return invalid(path + ": a weight is not a finite number");
  std::memcpy(out.data(), floats->data(), floats->size_bytes());
  return ok();
}

Result<Digest> write_weights(const format::ModelLayout& layout, std::span<const float> parameters,
                             const std::string& path) {
  if (!all_finite(parameters)) return invalid("a weight is not a finite number: training diverged");
  const View parts[] = {layout.header(), bytes_of(parameters)};
  return write_file(path, parts);
}

Bytes state_header(std::uint64_t parameters, std::uint64_t steps) {
  const std::string shape = "\"dtype\":\"F32\",\"shape\":[" + std::to_string(parameters) + "]";
  const auto offsets = [&](std::uint64_t begin) {
    return ",\"data_offsets\":[" + std::to_string(begin) + "," +
           std::to_string(begin + 4 * parameters) + "]}";
  };
  std::string json = R"({"__metadata__":{"format":"harambee-adamw-1","steps":")" +
                     std::to_string(steps) + "\"},\"m\":{" + shape + offsets(0) + ",\"v\":{" +
                     shape + offsets(4 * parameters) + "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  Bytes header;
  put_u64le(header, json.size());
  header.insert(header.end(), json.begin(), json.end());
  return header;
}

Result<Digest> write_state(const AdamW& optimizer, const std::string& path) {
  const Bytes header = state_header(optimizer.m().size(), optimizer.steps());
  const View parts[] = {header, bytes_of(optimizer.m()), bytes_of(optimizer.v())};
  return write_file(path, parts);
}

Status read_state(const std::string& path, AdamW& optimizer) {
  const Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  const auto parsed = format::parse_safetensors(file->view());
  if (!parsed) return wrap(parsed.error(), path);
  const std::uint64_t n = optimizer.m().size();
  std::uint64_t steps = 0;
  for (const auto& [key, value] : parsed->metadata) {
    const bool digits =
        !value.empty() && value.size() <= 15 &&
        std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (key == "steps" && digits) steps = std::stoull(value);
  }
  const Bytes header = state_header(n, steps);
  const View bytes = file->view();
  if (bytes.size() != header.size() + 8 * n ||
      !std::equal(header.begin(), header.end(), bytes.begin())) {
    return invalid(path + ": not the optimizer's state of this model");
  }
  const auto* const m = reinterpret_cast<const float*>(bytes.data() + header.size());
  const std::span<const float> both(m, 2 * n);
  if (!all_finite(both)) return invalid(path + ": a moment is not a finite number");
  for (const float v : both.subspan(n)) {
    if (v < 0) return invalid(path + ": a second moment is negative");
  }
  std::memcpy(optimizer.m().data(), m, 4 * n);
  std::memcpy(optimizer.v().data(), m + n, 4 * n);
  optimizer.set_steps(steps);
  return ok();
}

Result<Corpus> Corpus::open(const std::vector<std::string>& paths, std::uint64_t row_bytes_min) {
  Corpus corpus;
  std::uint64_t end = 0;
  for (const std::string& path : paths) {
    Result<MappedFile> file = MappedFile::open(path);
    if (!file) return file.error();
    end += file->view().size();
    corpus.files_.push_back(std::move(*file));
    corpus.ends_.push_back(end);
  }
  if (end <= row_bytes_min) {
    return invalid("the text has " + std::to_string(end) + " bytes; a row needs " +
                   std::to_string(row_bytes_min + 1));
  }
  return corpus;
}

void Corpus::read(std::uint64_t offset, std::span<Token> out) const {
  HARAMBEE_CHECK(offset <= size() && out.size() <= size() - offset);
  auto file = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) -
                                       ends_.begin());
  for (Token& token : out) {
    while (offset >= ends_[file]) ++file;
    const View bytes = files_[file].view();
    token = bytes[offset - (ends_[file] - bytes.size())];
    ++offset;
  }
}

}  // namespace harambee::trainer

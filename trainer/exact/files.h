// Files of the trainer: weights, the optimizer's state, and training text. Every file is written
// beside its place and renamed, so that a reader sees all of it or nothing; it is not forced to
// disk, because whoever needs it longer than a round stores it by its digest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "format/model.h"
#include "trainer/exact/optimizer.h"

namespace harambee::trainer {

// A file in memory, mapped read-only while this lives. Whoever shortens the file meanwhile crashes
// the reader, so only files that are never changed in place are mapped.
class MappedFile {
 public:
  // Empty files map to an empty view.
  [[nodiscard]] static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  [[nodiscard]] View view() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Writes the parts one after another and returns the SHA-256 of the file.
[[nodiscard]] Result<Digest> write_file(const std::string& path, std::span<const View> parts);

// The parameters of a canonical file into `out` (layout.parameters() floats). Refuses other headers
// and sizes, and numbers that are not finite.
[[nodiscard]] Status read_weights(const format::ModelLayout& layout, const std::string& path,
                                  std::span<float> out);
[[nodiscard]] Result<Digest> write_weights(const format::ModelLayout& layout,
                                           std::span<const float> parameters,
                                           const std::string& path);

// The state file: safetensors with the moments "m" and "v", F32, [parameters], and the metadata
// {"format":"harambee-adamw-1","steps":"<decimal>"}; one file for one state
// (spec/exact-trainer.md).
[[nodiscard]] Bytes state_header(std::uint64_t parameters, std::uint64_t steps);
[[nodiscard]] Result<Digest> write_state(const AdamW& optimizer, const std::string& path);
// Refuses what write_state would not have written, numbers that are not finite, and negative v.
[[nodiscard]] Status read_state(const std::string& path, AdamW& optimizer);

// Files one after another as one text of bytes.
class Corpus {
 public:
  // Refuses a total of `row_bytes_min` bytes or fewer.
  [[nodiscard]] static Result<Corpus> open(const std::vector<std::string>& paths,
                                           std::uint64_t row_bytes_min);
  [[nodiscard]] std::uint64_t size() const { return ends_.empty() ? 0 : ends_.back(); }
  // The bytes [offset, offset + out.size()), which must exist (a bug otherwise), as tokens.
  void read(std::uint64_t offset, std::span<Token> out) const;

 private:
  std::vector<MappedFile> files_;
  std::vector<std::uint64_t> ends_;
};

}  // namespace harambee::trainer

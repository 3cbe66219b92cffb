// safetensors: tensors in one file, as the world stores them (github.com/huggingface/safetensors).
// A strict reader over bytes that somebody else owns, and a writer with one output for one input.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::format {

// The format allows a header of 100 MB; ours is far stricter, because a header is parsed before
// anything is known about its author. 8 MiB holds about 80,000 tensors.
inline constexpr std::uint64_t kSafetensorsHeaderBytesMax = 8u << 20;
inline constexpr std::size_t kSafetensorsTensorsMax = 65'536;
inline constexpr std::size_t kSafetensorsNameBytesMax = 256;
inline constexpr std::size_t kSafetensorsRankMax = 8;
inline constexpr std::size_t kSafetensorsMetadataMax = 1'024;  // entries

struct Tensor {
  std::string name;
  std::string dtype;                 // "F32", "BF16", … as in the file
  std::vector<std::uint64_t> shape;  // row-major; empty for a scalar
  View data;                         // little-endian, borrowed from the file's bytes
};

struct Safetensors {
  std::vector<std::pair<std::string, std::string>> metadata;  // in the file's order
  std::vector<Tensor> tensors;                                // sorted by name, bytewise
  std::uint64_t data_offset = 0;                              // where the data section starts

  // Null if there is no such tensor.
  [[nodiscard]] const Tensor* find(std::string_view name) const;
};

// Borrows `file`, which must outlive the result. Refuses all that the reference parser refuses
// (truncated or oversized header, bytes after the JSON that are not white space, invalid UTF-8,
// unknown dtypes, holes, overlaps, sizes that do not fit the shape, bytes after the last tensor),
// and also duplicate names anywhere, a header that does not begin with '{', unknown fields of a
// tensor, null metadata, and whatever exceeds the limits above. Never throws.
[[nodiscard]] Result<Safetensors> parse_safetensors(View file);

// Bits of one element, or 0 for an unknown dtype.
[[nodiscard]] unsigned dtype_bits(std::string_view dtype);

struct TensorShape {
  std::string name;
  std::vector<std::uint64_t> shape;
};

// The first bytes of the canonical file of F32 tensors: length, then JSON with
// "__metadata__":{"format":"pt"} first and the tensors in the order given, padded with spaces to a
// multiple of 8. The data section follows it directly. Names must be plain ASCII without '"' or
// '\' (a bug otherwise), sorted bytewise by the caller.
[[nodiscard]] Bytes canonical_f32_header(std::span<const TensorShape> tensors);

}  // namespace harambee::format

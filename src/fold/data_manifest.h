// The data manifest of a run: blob 0 of its run record (media type kDataManifestType), canonical
// JSON {"heldout":[{"digest","size"}…],"train":[{"digest","size"}…]}. Its page is
// spec/assignment.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee::fold {

inline constexpr std::string_view kDataManifestType = "application/vnd.harambee.data.v1+json";
inline constexpr std::size_t kShardsMax = 65536;  // in each list
inline constexpr std::uint64_t kShardBytesMax = std::uint64_t{1} << 40;
inline constexpr std::size_t kDataManifestBytesMax = std::size_t{16} << 20;

struct Shard {
  Digest digest;
  std::uint64_t size_bytes = 0;
  bool operator==(const Shard&) const = default;
};

struct DataManifest {
  std::vector<Shard> train;    // non-empty
  std::vector<Shard> heldout;  // non-empty
  bool operator==(const DataManifest&) const = default;

  // Refuses data in which a row of context + 1 bytes does not fit: the concatenated held-out files
  // and every single training shard must be longer than that.
  [[nodiscard]] Status check(std::uint64_t context) const;
};

[[nodiscard]] Result<DataManifest> parse_data_manifest(View bytes);
[[nodiscard]] std::string write_data_manifest(const DataManifest& manifest);
[[nodiscard]] std::uint64_t total_bytes(const std::vector<Shard>& shards);

}  // namespace harambee::fold

// The data manifest: which files a run trains on and is measured on. A blob named by the run's
// record, media type application/vnd.harambee.data.v1+json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee::format {

inline constexpr std::string_view kDataManifestType = "application/vnd.harambee.data.v1+json";
inline constexpr std::size_t kDataShardsMax = 4'096;  // of each list
inline constexpr std::uint64_t kDataShardBytesMax = std::uint64_t{1} << 40;
inline constexpr std::size_t kDomainsMax = 8;
inline constexpr std::size_t kDomainNameBytesMax = 31;

struct Shard {
  Digest digest;
  std::uint64_t size = 0;   // bytes, > 0
  std::string domain = {};  // whose text it is; empty: nobody's in particular
  bool operator==(const Shard&) const = default;
};

// The held-out text of one domain: so many bytes of the concatenated held-out files.
struct HeldOutDomain {
  std::string name;
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
  bool operator==(const HeldOutDomain&) const = default;
};

// 1 … kDomainNameBytesMax of [a-z0-9-], not beginning or ending with '-'.
[[nodiscard]] bool is_domain_name(std::string_view text);

struct DataManifest {
  std::vector<Shard> train;    // in the order that assignment uses; at least one
  std::vector<Shard> heldout;  // score rows come from their concatenation; may be none
  bool operator==(const DataManifest&) const = default;

  [[nodiscard]] std::uint64_t train_bytes() const;
  [[nodiscard]] std::uint64_t heldout_bytes() const;
  // By name, ascending. At most kDomainsMax.
  [[nodiscard]] std::vector<HeldOutDomain> domains() const;
};

// Canonical JSON {"heldout":[{"digest","size"}…],"train":[…],"v":1}, where a file may have a
// "domain", too; anything else is refused, and so are no training files, lists beyond the limit,
// sizes of zero, and a digest that occurs twice (a held-out file must not be trained on). Held-out
// files of one domain follow each other, in ascending order of the domains' names, and a training
// shard's domain is one of theirs.
[[nodiscard]] Result<DataManifest> parse_data_manifest(View bytes);
// The manifest must keep the rules above (a bug otherwise).
[[nodiscard]] Bytes write_data_manifest(const DataManifest& manifest);

}  // namespace harambee::format

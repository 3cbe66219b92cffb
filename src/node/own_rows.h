// What a validator measures for the own-versus-random test (fold/own_data.h), and an auditor again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "fold/own_data.h"
#include "fold/state.h"
#include "format/data.h"

namespace harambee::node {

struct OwnAsked {
  std::int64_t round = 0;
  KeyId author;  // a member
  KeyId validator;
  Digest score_seed;
};

struct OwnPlaces {
  std::vector<format::Shard> shards;   // the author's, in its order
  std::vector<std::uint64_t> offsets;  // in their concatenation: fold::kOwnRows of each kind
};

// None if the recipe has no such test, or the shards are more than fold::kOwnBytesMax.
[[nodiscard]] std::optional<OwnPlaces> own_places(const fold::RunState& run,
                                                  const format::DataManifest& data,
                                                  const OwnAsked& asked);

// One contribution's test: those rows in files, and what the base loses on them.
struct OwnTest {
  std::vector<std::filesystem::path> files;
  std::vector<std::uint64_t> offsets;
  std::vector<std::int64_t> without;

  // Puts its rows behind others, for one evaluation of both; `bytes`: of `all_files` together.
  void follow(std::uint64_t bytes, std::vector<std::filesystem::path>& all_files,
              std::vector<std::uint64_t>& all_rows) const;
};

// From the losses at those offsets: the gain on the author's rows less that on the others, within
// ±fold::kDomainNanosMax.
[[nodiscard]] std::int64_t own_nanos(std::span<const std::int64_t> without,
                                     std::span<const std::int64_t> with);

}  // namespace harambee::node

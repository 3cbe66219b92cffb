#include "fold/assignment.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/rng.h"

namespace harambee::fold {

Status check_data(const format::DataManifest& data, std::uint64_t context) {
  const std::string row = "one row of " + std::to_string(context) + " + 1 bytes";
  for (const format::Shard& shard : data.train) {
    if (shard.size <= context) {
      return invalid("data: training shard " + shard.digest.hex() + " is shorter than " + row);
    }
  }
  if (!data.heldout.empty() && data.heldout_bytes() <= context) {
    return invalid("data: the held-out files together are shorter than " + row);
  }
  for (const format::HeldOutDomain& domain : data.domains()) {
    if (domain.bytes <= context) {
      return invalid("data: the held-out text of the domain " + domain.name + " is shorter than " +
                     row);
    }
  }
  return ok();
}

std::vector<std::uint64_t> shards_of(std::uint64_t ordinal, std::uint64_t shards_per_member,
                                     std::uint64_t shard_count) {
  HARAMBEE_CHECK(shard_count > 0);
  const std::uint64_t count = std::min(shards_per_member, shard_count);
  // Reduced before the product, so that no ordinal overflows it.
  const std::uint64_t first =
      (ordinal % shard_count) * (shards_per_member % shard_count) % shard_count;
  std::vector<std::uint64_t> shards;
  shards.reserve(count);
  for (std::uint64_t t = 0; t < count; ++t) shards.push_back((first + t) % shard_count);
  return shards;
}

std::string domain_of(std::span<const format::Shard> shards) {
  std::map<std::string, std::uint64_t> bytes;
  for (const format::Shard& shard : shards) bytes[shard.domain] += shard.size;
  const auto most = std::ranges::max_element(
      bytes, [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? std::string() : most->first;
}

Digest inner_seed(const Digest& run, std::uint64_t round, const KeyId& author) {
  Bytes number;
  put_u64be(number, round);
  return sha256({view("harambee inner v1\n"), run.view(), View(number), author.view()});
}

Digest score_seed(const Digest& log_root) {
  return sha256({view("harambee score v1\n"), log_root.view()});
}

Digest report_seed(const Digest& run) { return sha256({view("harambee report v1\n"), run.view()}); }

std::uint64_t row_offset(const Digest& seed, std::uint64_t step, std::uint64_t row,
                         std::uint64_t total_bytes, std::uint64_t context) {
  HARAMBEE_CHECK(total_bytes > context);
  return draw(seed, step, row) % (total_bytes - context);
}

std::vector<std::uint64_t> row_offsets(const Digest& seed, std::uint64_t step, std::uint64_t rows,
                                       std::uint64_t total_bytes, std::uint64_t context) {
  std::vector<std::uint64_t> offsets;
  offsets.reserve(rows);
  for (std::uint64_t row = 0; row < rows; ++row) {
    offsets.push_back(row_offset(seed, step, row, total_bytes, context));
  }
  return offsets;
}

std::vector<std::uint64_t> score_rows(const Digest& seed, std::uint64_t rows,
                                      const format::DataManifest& data, std::uint64_t context,
                                      Guarded guarded) {
  std::vector<std::uint64_t> offsets = row_offsets(seed, 0, rows, data.heldout_bytes(), context);
  if (guarded == Guarded::no) return offsets;
  std::uint64_t step = 0;
  for (const format::HeldOutDomain& domain : data.domains()) {
    for (const std::uint64_t offset : row_offsets(seed, ++step, rows, domain.bytes, context)) {
      offsets.push_back(domain.begin + offset);
    }
  }
  return offsets;
}

}  // namespace harambee::fold

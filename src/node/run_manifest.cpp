#include "node/run_manifest.h"

#include <string>
#include <vector>

#include "fold/assignment.h"

namespace harambee::node {

Result<format::DataManifest> read_run_manifest(const fold::RunState& run, View bytes) {
  Result<format::DataManifest> manifest = format::parse_data_manifest(bytes);
  if (!manifest) return manifest;
  std::vector<std::string> names;
  for (const format::HeldOutDomain& domain : manifest->domains()) names.push_back(domain.name);
  if (names == run.domains) return manifest;
  return fail(ErrorCode::corrupt, "the run record names other domains than the data manifest");
}

bool is_foreign_domain(const fold::RunState& run, const format::DataManifest& data,
                       const KeyId& author, const std::string& domain) {
  const fold::Member* member = run.member(author);
  if (domain.empty() || !member) return false;
  std::vector<format::Shard> shards;
  for (const std::uint64_t index :
       fold::shards_of(member->ordinal, static_cast<std::uint64_t>(run.recipe.shards_per_member),
                       data.train.size())) {
    shards.push_back(data.train[index]);
  }
  return domain != fold::domain_of(shards);
}

}  // namespace harambee::node

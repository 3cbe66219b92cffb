#include "node/run_manifest.h"

#include <string>
#include <vector>

namespace harambee::node {

Result<format::DataManifest> read_run_manifest(const fold::RunState& run, View bytes) {
  Result<format::DataManifest> manifest = format::parse_data_manifest(bytes);
  if (!manifest) return manifest;
  std::vector<std::string> names;
  for (const format::HeldOutDomain& domain : manifest->domains()) names.push_back(domain.name);
  if (names == run.domains) return manifest;
  return fail(ErrorCode::corrupt, "the run record names other domains than the data manifest");
}

}  // namespace harambee::node

// The data manifest of a run, as everybody who uses it must find it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "fold/state.h"
#include "format/data.h"

namespace harambee::node {

// Parses what the run record's data blob holds. Errors as format::parse_data_manifest; corrupt: the
// run record names other domains than the manifest has, so that nobody knows what its scores are
// about.
[[nodiscard]] Result<format::DataManifest> read_run_manifest(const fold::RunState& run, View bytes);

}  // namespace harambee::node

// The data manifest of a run, as everybody who uses it must find it.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "fold/state.h"
#include "format/data.h"

namespace harambee::node {

// Parses what the run record's data blob holds. Errors as format::parse_data_manifest; corrupt: the
// run record names other domains than the manifest has, so that nobody knows what its scores are
// about.
[[nodiscard]] Result<format::DataManifest> read_run_manifest(const fold::RunState& run, View bytes);

// Whether a contribution declares another domain than its author's shards are of: it may not choose
// the one that it happens to please. Nothing declared is never foreign.
[[nodiscard]] bool is_foreign_domain(const fold::RunState& run, const format::DataManifest& data,
                                     const KeyId& author, const std::string& domain);

}  // namespace harambee::node

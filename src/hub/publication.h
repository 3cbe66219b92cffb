// The files of a batch: pure preparation, then writing in the one safe order. Normal work and
// recovery use the same functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/sign.h"
#include "hub/order.h"
#include "hub/shelf.h"
#include "log/checkpoint.h"
#include "log/tile.h"

namespace harambee::hub {

// The unfinished right edge of the log: hash tiles and the last bundle.
struct Edge {
  log::TileEdge tiles;
  std::vector<Bytes> bundle;  // entries of the unfinished bundle, 0 … 255
};

struct Publication {
  log::Checkpoint checkpoint;
  std::vector<std::pair<log::Tile, Bytes>> files;  // tiles and bundles, each at its new width
  Edge edge;                                       // after the batch
};

// Appends entries to a copy of the edge.
[[nodiscard]] Publication prepare(const Edge& edge, const std::string& origin,
                                  const std::vector<Bytes>& entries);

// Bundles and tiles first, then the checkpoint that needs them. May be repeated after any failure.
// corrupt: a file that must never change holds other bytes.
[[nodiscard]] Status publish(Shelf& shelf, const Publication& publication,
                             const std::string& checkpoint_note);

inline constexpr const char* kCheckpointFile = "checkpoint";
// The note that somebody has shown, of entries that this log does not have (sequencer.h).
inline constexpr const char* kShownCheckpointFile = "checkpoint.shown";

// The right edge of the log that the checkpoint promises, out of the files, checked against its
// root and against the entries. Errors name the file.
[[nodiscard]] Result<Edge> load_edge(Shelf& shelf, const log::Checkpoint& checkpoint);

// The entries of one bundle of a published log of `size` entries.
[[nodiscard]] Result<std::vector<Bytes>> read_bundle(Shelf& shelf, std::uint64_t bundle,
                                                     std::uint64_t size);

}  // namespace harambee::hub

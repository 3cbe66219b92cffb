#include "hub/publication.h"

#include "log/merkle.h"

namespace harambee::hub {
namespace {

constexpr std::uint64_t kWidth = log::kTileWidth;

// A tile in the files: at the width asked for, or full if the partial one was dropped since.
Result<Bytes> read_tile(Shelf& shelf, const log::Tile& tile) {
  auto bytes = shelf.read(log::tile_path(tile));
  if (bytes || bytes.error().code != ErrorCode::not_found || tile.width == log::kTileWidth) {
    return bytes;
  }
  auto full = shelf.read(log::tile_path({tile.level, tile.index, log::kTileWidth}));
  return full ? full : bytes;
}

std::vector<Bytes> copies(const std::vector<View>& views) {
  std::vector<Bytes> out;
  out.reserve(views.size());
  for (const View entry : views) out.emplace_back(entry.begin(), entry.end());
  return out;
}

// The last bundle's entries must be the leaves of the last level-0 tile.
Status check_bundle(const log::Tile& bundle, const std::vector<Bytes>& entries, Shelf& shelf) {
  const log::Tile leaves{0, bundle.index, bundle.width};
  auto bytes = read_tile(shelf, leaves);
  if (!bytes) return wrap(bytes.error(), log::tile_path(leaves));
  bytes->resize(std::min(bytes->size(), static_cast<std::size_t>(leaves.width) * 32));
  auto hashes = log::parse_tile(*bytes, leaves.width);
  if (!hashes) return wrap(hashes.error(), log::tile_path(leaves));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (log::leaf_hash(entries[i]) != (*hashes)[i]) {
      return fail(ErrorCode::corrupt, "entry " + std::to_string(bundle.index * kWidth + i) +
                                          " in " + log::tile_path(bundle) + " is not what " +
                                          log::tile_path(leaves) + " says");
    }
  }
  return ok();
}

}  // namespace

Publication prepare(const Edge& edge, const std::string& origin,
                    const std::vector<Bytes>& entries) {
  Publication out;
  out.edge = edge;
  auto& bundle = out.edge.bundle;
  for (const Bytes& entry : entries) {
    bundle.push_back(entry);
    out.edge.tiles.append(log::leaf_hash(entry),
                          [&](const log::Tile& tile, std::span<const Digest> hashes) {
                            out.files.emplace_back(tile, log::encode_tile(hashes));
                          });
    const std::uint64_t size = out.edge.tiles.size();
    if (size % kWidth == 0) {
      const log::Tile full{log::kEntries, size / kWidth - 1, log::kTileWidth};
      out.files.emplace_back(full, log::encode_bundle(std::span<const Bytes>(bundle)));
      bundle.clear();
    }
  }
  const std::uint64_t size = out.edge.tiles.size();
  if (!bundle.empty()) {
    const log::Tile partial{log::kEntries, size / kWidth, static_cast<int>(bundle.size())};
    out.files.emplace_back(partial, log::encode_bundle(std::span<const Bytes>(bundle)));
  }
  const auto changed = static_cast<std::uint64_t>(size - entries.size());
  for (auto& [tile, bytes] : out.edge.tiles.partials()) {
    // Upper partial tiles change only with every 256th leaf; unchanged ones are there already.
    if (tile.width != log::tile_width(tile.level, tile.index, changed)) {
      out.files.emplace_back(tile, std::move(bytes));
    }
  }
  out.checkpoint = {origin, size, out.edge.tiles.root(), {}};
  return out;
}

Status publish(Shelf& shelf, const Publication& publication, const std::string& checkpoint_note) {
  for (const auto& [tile, bytes] : publication.files) {
    if (auto status = shelf.create(log::tile_path(tile), bytes); !status) return status;
  }
  if (auto status = shelf.replace(kCheckpointFile, view(checkpoint_note)); !status) return status;
  for (const auto& [tile, bytes] : publication.files) {
    // Readers fall back to the full tile; a folder left behind by a failure costs only space.
    if (tile.width == log::kTileWidth) {
      static_cast<void>(shelf.remove_folder(log::tile_path(tile) + ".p").ok());
    }
  }
  return ok();
}

Result<std::vector<Bytes>> read_bundle(Shelf& shelf, std::uint64_t bundle, std::uint64_t size) {
  const int width = log::tile_width(log::kEntries, bundle, size);
  if (width == 0) return std::vector<Bytes>();
  const log::Tile tile{log::kEntries, bundle, width};
  auto bytes = shelf.read(log::tile_path(tile));
  int there = width;
  if (!bytes && bytes.error().code == ErrorCode::not_found && width < log::kTileWidth) {
    there = log::kTileWidth;
    bytes = shelf.read(log::tile_path({log::kEntries, bundle, log::kTileWidth}));
  }
  if (!bytes) return wrap(bytes.error(), log::tile_path(tile));
  auto views = log::parse_bundle(*bytes, there);
  if (!views) return wrap(fail(ErrorCode::corrupt, views.error().message), log::tile_path(tile));
  views->resize(static_cast<std::size_t>(width));
  return copies(*views);
}

Result<Edge> load_edge(Shelf& shelf, const log::Checkpoint& checkpoint) {
  Edge edge;
  std::string names;
  auto tiles = log::TileEdge::load(checkpoint.size, [&](const log::Tile& tile) -> Result<Bytes> {
    names += (names.empty() ? "" : ", ") + log::tile_path(tile);
    auto bytes = read_tile(shelf, tile);
    if (!bytes) return wrap(bytes.error(), log::tile_path(tile));
    return bytes;
  });
  if (!tiles) return tiles.error();
  if (tiles->root() != checkpoint.root) {
    return fail(ErrorCode::corrupt, "the tiles at the right edge (" + names +
                                        ") do not have the root in the checkpoint of size " +
                                        std::to_string(checkpoint.size));
  }
  edge.tiles = *std::move(tiles);
  if (checkpoint.size == 0) return edge;
  const std::uint64_t last = (checkpoint.size - 1) / kWidth;
  auto entries = read_bundle(shelf, last, checkpoint.size);
  if (!entries) return entries.error();
  const log::Tile bundle{log::kEntries, last, static_cast<int>(entries->size())};
  if (auto status = check_bundle(bundle, *entries, shelf); !status) return status.error();
  if (entries->size() < kWidth) edge.bundle = *std::move(entries);
  return edge;
}

}  // namespace harambee::hub

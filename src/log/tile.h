// C2SP tlog-tiles: how a log lies in files. 256 hashes a tile, 256 entries a bundle (spec/log.md).
// Pure arithmetic; whoever has the files passes a TileReader.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "log/merkle.h"

namespace harambee::log {

inline constexpr int kTileHeight = 8;
inline constexpr int kTileWidth = 1 << kTileHeight;
inline constexpr int kTileLevelMax = 63;
inline constexpr std::size_t kEntryBytesMax = 65'535;  // u16be length
inline constexpr std::size_t kBundleBytesMax = kTileWidth * (2 + kEntryBytesMax);
inline constexpr int kEntries = -1;  // as a tile's level: a bundle of entries

struct Tile {
  int level = 0;  // kEntries, or 0 … kTileLevelMax
  std::uint64_t index = 0;
  int width = kTileWidth;  // 1 … 256; below 256: a partial tile
  auto operator<=>(const Tile&) const = default;
};

// "tile/0/x001/x234/067", "tile/1/000.p/17", "tile/entries/000".
[[nodiscard]] std::string tile_path(const Tile& tile);
// Exactly what tile_path() writes, else refused.
[[nodiscard]] Result<Tile> parse_tile_path(std::string_view path);

// How many hashes (entries) the tile (level, index) of a tree of `size` leaves has: 0 … 256.
[[nodiscard]] int tile_width(int level, std::uint64_t index, std::uint64_t size);
// The tiles and bundles that change when a tree grows from `from` to `to`, each as it is at `to`,
// bundles first, then levels upwards. tiles_between(0, n) is the whole tree.
[[nodiscard]] std::vector<Tile> tiles_between(std::uint64_t from, std::uint64_t to);
// The partial tiles and the partial bundle of a tree of `size` leaves (none that is empty).
[[nodiscard]] std::vector<Tile> partial_tiles(std::uint64_t size);

// Raw concatenation of 1 … 256 hashes.
[[nodiscard]] Bytes encode_tile(std::span<const Digest> hashes);
[[nodiscard]] Result<std::vector<Digest>> parse_tile(View bytes, int width);

// u16be length ‖ entry, for each entry; no entry above kEntryBytesMax (else: a bug).
[[nodiscard]] Bytes encode_bundle(std::span<const View> entries);
[[nodiscard]] Bytes encode_bundle(std::span<const Bytes> entries);
// Exactly `width` entries and nothing after them. The views point into `bytes`.
[[nodiscard]] Result<std::vector<View>> parse_bundle(View bytes, int width);

// The bytes of one tile. A reader may answer with a wider tile of the same index (partials may be
// deleted once the full tile exists): only the first `width` hashes are used.
using TileReader = std::function<Result<Bytes>(const Tile&)>;
// Nodes of a tree of `size` leaves out of its hash tiles; asks only for tiles that this size
// implies, and keeps the tiles it has read. The hashes are not authenticated: check a root.
[[nodiscard]] NodeSource tile_source(std::uint64_t size, TileReader reader);

// The growing right edge of a tree: the hashes of the unfinished tile of each level.
class TileEdge {
 public:
  // The empty tree.
  TileEdge() = default;
  // Reads the partial tiles of a tree of `size` leaves. Compare root() before trusting it.
  [[nodiscard]] static Result<TileEdge> load(std::uint64_t size, const TileReader& reader);

  // Hash tiles that this leaf completes are handed over, lowest level first.
  using FullTile = std::function<void(const Tile&, std::span<const Digest>)>;
  void append(const Digest& leaf, const FullTile& full);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Digest root() const;
  // The partial hash tiles now, lowest level first.
  [[nodiscard]] std::vector<std::pair<Tile, Bytes>> partials() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<std::vector<Digest>> levels_;  // [level] 0 … 255 hashes
};

}  // namespace harambee::log

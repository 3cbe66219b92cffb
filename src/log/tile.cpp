#include "log/tile.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/check.h"
#include "log/text.h"

namespace harambee::log {
namespace {

constexpr std::string_view kTilePrefix = "tile/";
constexpr std::string_view kEntriesName = "entries";

// How many nodes of tile level `level` a tree of `size` leaves has: floor(size / 256^level).
std::uint64_t level_size(int level, std::uint64_t size) {
  const int shift = kTileHeight * std::max(level, 0);
  return shift >= 64 ? 0 : size >> shift;
}

std::string three_digits(std::uint64_t group) {
  std::string text = std::to_string(group);
  return text.insert(0, 3 - text.size(), '0');
}

// Groups of three digits; all but the last one carry an x, so that no file is also a folder.
std::string index_path(std::uint64_t index) {
  std::string path = three_digits(index % 1000);
  while (index >= 1000) {
    index /= 1000;
    path.insert(0, "x" + three_digits(index % 1000) + "/");
  }
  return path;
}

// The reverse, generous: the caller writes the path again and compares.
std::optional<std::uint64_t> parse_index_path(std::string_view path) {
  std::uint64_t index = 0;
  int groups = 0;
  while (!path.empty()) {
    if (++groups > 6) return std::nullopt;  // 10^18 tiles are enough, and do not overflow
    const std::string_view group = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), group.size() + 1));
    const std::string_view digits = group.substr(group.starts_with('x') ? 1 : 0);
    if (digits.size() != 3) return std::nullopt;
    for (const char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      index = index * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
  return index;
}

// The first `width` hashes of a tile that may be wider.
Result<std::vector<Digest>> first_hashes(View bytes, int width) {
  const std::size_t wanted = 32 * static_cast<std::size_t>(width);
  if (bytes.size() < wanted || bytes.size() % 32 != 0 || bytes.size() > 32 * kTileWidth) {
    return fail(ErrorCode::corrupt, "a tile of " + std::to_string(width) + " hashes has " +
                                        std::to_string(bytes.size()) + " bytes");
  }
  return parse_tile(bytes.first(wanted), width);
}

// Reads tiles as nodes are asked for, and keeps what it has read.
class TileNodes {
 public:
  TileNodes(std::uint64_t size, TileReader reader) : size_(size), reader_(std::move(reader)) {}

  Result<Digest> node(const Node& node) {
    if (node.level < 0 || node.level > 63) return invalid("no such level");
    if (node.index >= size_ >> node.level) return fail(ErrorCode::not_found, "outside the tree");
    const int level = node.level / kTileHeight;
    const int height = node.level % kTileHeight;
    const std::uint64_t first = node.index << height;
    auto hashes = tile(level, first / kTileWidth);
    if (!hashes) return hashes.error();
    return root_of(std::span(**hashes).subspan(first % kTileWidth, std::size_t{1} << height));
  }

 private:
  using Key = std::pair<int, std::uint64_t>;
  static constexpr std::size_t kTilesKeptMax = 1024;  // 8 MiB

  // The result points into kept_ and lives until the next call.
  Result<const std::vector<Digest>*> tile(int level, std::uint64_t index) {
    const Key key{level, index};
    if (const auto kept = kept_.find(key); kept != kept_.end()) return &kept->second;
    const Tile wanted{level, index, tile_width(level, index, size_)};
    auto bytes = reader_(wanted);
    if (!bytes) return bytes.error();
    auto hashes = first_hashes(*bytes, wanted.width);
    if (!hashes) return hashes.error();
    if (kept_.size() == kTilesKeptMax) kept_.clear();
    return &kept_.emplace(key, *std::move(hashes)).first->second;
  }

  std::uint64_t size_;
  TileReader reader_;
  std::map<Key, std::vector<Digest>> kept_;
};

}  // namespace

std::string tile_path(const Tile& tile) {
  HARAMBEE_CHECK(tile.level >= kEntries && tile.level <= kTileLevelMax);
  HARAMBEE_CHECK(tile.width >= 1 && tile.width <= kTileWidth);
  std::string path(kTilePrefix);
  path += tile.level == kEntries ? std::string(kEntriesName) : std::to_string(tile.level);
  path += '/' + index_path(tile.index);
  if (tile.width != kTileWidth) path += ".p/" + std::to_string(tile.width);
  return path;
}

Result<Tile> parse_tile_path(std::string_view path) {
  const Error bad = invalid("not the path of a tile");
  if (path.size() > 64 || !path.starts_with(kTilePrefix)) return bad;
  std::string_view rest = path.substr(kTilePrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos) return bad;
  Tile tile;
  const std::string_view level_text = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  if (level_text == kEntriesName) {
    tile.level = kEntries;
  } else if (const auto level = parse_decimal(level_text); level && *level <= kTileLevelMax) {
    tile.level = static_cast<int>(*level);
  } else {
    return bad;
  }
  if (const std::size_t dot = rest.find(".p/"); dot != rest.npos) {
    const auto width = parse_decimal(rest.substr(dot + 3));
    if (!width || *width == 0 || *width >= kTileWidth) return bad;
    tile.width = static_cast<int>(*width);
    rest = rest.substr(0, dot);
  }
  const auto index = parse_index_path(rest);
  if (!index) return bad;
  tile.index = *index;
  if (tile_path(tile) != path) return bad;
  return tile;
}

int tile_width(int level, std::uint64_t index, std::uint64_t size) {
  const std::uint64_t nodes = level_size(level, size);
  if (index > nodes / kTileWidth) return 0;
  return static_cast<int>(std::min<std::uint64_t>(nodes - index * kTileWidth, kTileWidth));
}

std::vector<Tile> tiles_between(std::uint64_t from, std::uint64_t to) {
  HARAMBEE_CHECK(from <= to);
  std::vector<Tile> tiles;
  for (int level = kEntries; level_size(level, to) > 0; ++level) {
    const std::uint64_t old_nodes = level_size(level, from);
    const std::uint64_t new_nodes = level_size(level, to);
    if (old_nodes == new_nodes) continue;
    for (std::uint64_t i = old_nodes / kTileWidth; i <= (new_nodes - 1) / kTileWidth; ++i) {
      tiles.push_back({level, i, tile_width(level, i, to)});
    }
  }
  return tiles;
}

std::vector<Tile> partial_tiles(std::uint64_t size) {
  std::vector<Tile> tiles;
  for (int level = kEntries; level_size(level, size) > 0; ++level) {
    const std::uint64_t nodes = level_size(level, size);
    if (nodes % kTileWidth == 0) continue;
    tiles.push_back({level, nodes / kTileWidth, static_cast<int>(nodes % kTileWidth)});
  }
  return tiles;
}

Bytes encode_tile(std::span<const Digest> hashes) {
  HARAMBEE_CHECK(!hashes.empty() && hashes.size() <= kTileWidth);
  Bytes out;
  out.reserve(32 * hashes.size());
  for (const Digest& hash : hashes) out.insert(out.end(), hash.bytes.begin(), hash.bytes.end());
  return out;
}

Result<std::vector<Digest>> parse_tile(View bytes, int width) {
  HARAMBEE_CHECK(width >= 1 && width <= kTileWidth);
  if (bytes.size() != 32 * static_cast<std::size_t>(width)) {
    return fail(ErrorCode::corrupt, "a tile of " + std::to_string(width) + " hashes has " +
                                        std::to_string(bytes.size()) + " bytes");
  }
  std::vector<Digest> hashes(static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const View hash = bytes.subspan(32 * i, 32);
    std::copy(hash.begin(), hash.end(), hashes[i].bytes.begin());
  }
  return hashes;
}

Bytes encode_bundle(std::span<const View> entries) {
  HARAMBEE_CHECK(entries.size() <= kTileWidth);
  Bytes out;
  for (const View entry : entries) {
    HARAMBEE_CHECK(entry.size() <= kEntryBytesMax);
    put_u16be(out, static_cast<std::uint16_t>(entry.size()));
    out.insert(out.end(), entry.begin(), entry.end());
  }
  return out;
}

Bytes encode_bundle(std::span<const Bytes> entries) {
  return encode_bundle(std::vector<View>(entries.begin(), entries.end()));
}

Result<std::vector<View>> parse_bundle(View bytes, int width) {
  HARAMBEE_CHECK(width >= 1 && width <= kTileWidth);
  std::vector<View> entries;
  entries.reserve(static_cast<std::size_t>(width));
  for (int i = 0; i < width; ++i) {
    if (bytes.size() < 2) return fail(ErrorCode::corrupt, "a bundle with too few entries");
    const std::size_t length = get_u16be(bytes.data());
    bytes = bytes.subspan(2);
    if (bytes.size() < length) return fail(ErrorCode::corrupt, "a bundle that ends in an entry");
    entries.push_back(bytes.first(length));
    bytes = bytes.subspan(length);
  }
  if (!bytes.empty()) return fail(ErrorCode::corrupt, "a bundle with bytes after its entries");
  return entries;
}

NodeSource tile_source(std::uint64_t size, TileReader reader) {
  auto nodes = std::make_shared<TileNodes>(size, std::move(reader));
  return [nodes](const Node& node) { return nodes->node(node); };
}

Result<TileEdge> TileEdge::load(std::uint64_t size, const TileReader& reader) {
  TileEdge edge;
  edge.size_ = size;
  for (const Tile& tile : partial_tiles(size)) {
    if (tile.level == kEntries) continue;
    auto bytes = reader(tile);
    if (!bytes) return bytes.error();
    auto hashes = first_hashes(*bytes, tile.width);
    if (!hashes) return hashes.error();
    edge.levels_.resize(static_cast<std::size_t>(tile.level) + 1);
    edge.levels_.back() = *std::move(hashes);
  }
  return edge;
}

void TileEdge::append(const Digest& leaf, const FullTile& full) {
  ++size_;
  Digest hash = leaf;
  for (int level = 0;; ++level) {
    if (levels_.size() <= static_cast<std::size_t>(level)) levels_.emplace_back();
    std::vector<Digest>& hashes = levels_[static_cast<std::size_t>(level)];
    hashes.push_back(hash);
    if (hashes.size() < kTileWidth) return;
    full({level, level_size(level, size_) / kTileWidth - 1, kTileWidth}, hashes);
    hash = root_of(hashes);
    hashes.clear();
  }
}

Digest TileEdge::root() const {
  std::optional<Digest> root;
  for (const std::vector<Digest>& hashes : levels_) {
    Frontier perfect;
    for (const Digest& hash : hashes) perfect.append(hash);
    const std::span<const Digest> subtrees = perfect.hashes();
    for (auto subtree = subtrees.rbegin(); subtree != subtrees.rend(); ++subtree) {
      root = root ? node_hash(*subtree, *root) : *subtree;
    }
  }
  return root.value_or(empty_root());
}

std::vector<std::pair<Tile, Bytes>> TileEdge::partials() const {
  std::vector<std::pair<Tile, Bytes>> out;
  for (const Tile& tile : partial_tiles(size_)) {
    if (tile.level == kEntries) continue;
    out.emplace_back(tile, encode_tile(levels_[static_cast<std::size_t>(tile.level)]));
  }
  return out;
}

}  // namespace harambee::log

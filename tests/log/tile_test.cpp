#include "log/tile.h"

#include <gtest/gtest.h>

#include <map>

#include "vectors.h"

namespace harambee::log {
namespace {

using test::digest;
using test::first;
using test::leaves;
using test::vectors;

TEST(TilePath, IsTheSpecifications) {
  const std::pair<Tile, const char*> cases[] = {
      {{0, 0, 256}, "tile/0/000"},
      {{0, 7, 1}, "tile/0/007.p/1"},
      {{1, 1, 17}, "tile/1/001.p/17"},
      {{0, 1000, 256}, "tile/0/x001/000"},
      {{0, 1234067, 256}, "tile/0/x001/x234/067"},
      {{3, 123456078, 255}, "tile/3/x123/x456/078.p/255"},
      {{63, 999, 256}, "tile/63/999"},
      {{kEntries, 0, 256}, "tile/entries/000"},
      {{kEntries, 273, 112}, "tile/entries/273.p/112"},
      {{0, 999'999'999'999'999'999, 256}, "tile/0/x999/x999/x999/x999/x999/999"},
  };
  for (const auto& [tile, path] : cases) {
    EXPECT_EQ(tile_path(tile), path);
    const auto read = parse_tile_path(path);
    ASSERT_TRUE(read) << path;
    EXPECT_EQ(*read, tile);
  }
}

TEST(TilePath, RefusesEveryOtherSpelling) {
  for (const char* path : {
           "",
           "tile",
           "tile/",
           "tile/0",
           "tile/0/",
           "/tile/0/000",
           "tile/0/000/",
           "tile//000",
           "tile/3/5/123/456/078",
           "tile/0/123/456",
           "tile/0/x123",
           "tile/0/x123/x456",
           "tile/0/0",
           "tile/0/00",
           "tile/0/0000",
           "tile/0/x000/001",
           "tile/0/x0001/001",
           "tile/00/000",
           "tile/01/000",
           "tile/64/000",
           "tile/-1/000",
           "tile/+1/000",
           "tile/0/-01",
           "tile/0/+01",
           "tile/0/ 01",
           "tile/0/001.p",
           "tile/0/001.p/",
           "tile/0/001.p/0",
           "tile/0/001.p/256",
           "tile/0/001.p/257",
           "tile/0/001.p/01",
           "tile/0/001.p/-1",
           "tile/0/001.p/1/",
           "tile/0/001.p/1.p/1",
           "tile/0/001.q/1",
           "tile/0/001.P/1",
           "tile/entries",
           "tile/entries/",
           "tile/data/000",
           "tile/Entries/000",
           "tile/8/0/000",
           "tile/0/../000",
           "tile/0/000?x",
           "tile/0/000\n",
           "tile/0/0x1",
           "tile/0/X001/000",
           "tile/0/xx01/000",
           "tile/0/x001//000",
           "checkpoint",
           "tile/0/x999/x999/x999/x999/x999/x999/999",
           "tile/0/x001/x234/067x",
       }) {
    EXPECT_FALSE(parse_tile_path(path)) << path;
  }
  EXPECT_FALSE(parse_tile_path(std::string(10'000, '0')));
  EXPECT_FALSE(parse_tile_path(std::string_view("tile/0/000\0", 11)));
}

TEST(Tiles, OfASize) {
  EXPECT_EQ(tile_width(0, 273, 70'000), 112);
  EXPECT_EQ(tile_width(0, 272, 70'000), 256);
  EXPECT_EQ(tile_width(0, 274, 70'000), 0);
  EXPECT_EQ(tile_width(1, 1, 70'000), 17);
  EXPECT_EQ(tile_width(2, 0, 70'000), 1);
  EXPECT_EQ(tile_width(3, 0, 70'000), 0);
  EXPECT_EQ(tile_width(kEntries, 273, 70'000), 112);
  EXPECT_EQ(tile_width(63, 0, UINT64_MAX), 0);
  EXPECT_EQ(tile_width(7, 0, UINT64_MAX), 255);
  EXPECT_EQ(tile_width(0, UINT64_MAX, UINT64_MAX), 0);
  EXPECT_EQ(partial_tiles(256), (std::vector<Tile>{{1, 0, 1}}));
  EXPECT_EQ(partial_tiles(0), std::vector<Tile>{});
  EXPECT_EQ(partial_tiles(70'000),
            (std::vector<Tile>{{kEntries, 273, 112}, {0, 273, 112}, {1, 1, 17}, {2, 0, 1}}));
  EXPECT_EQ(tiles_between(0, 70'000).size(), 274u * 2 + 2 + 1);
  EXPECT_EQ(tiles_between(5, 5), std::vector<Tile>{});
  EXPECT_EQ(tiles_between(200, 513), (std::vector<Tile>{{kEntries, 0, 256},
                                                        {kEntries, 1, 256},
                                                        {kEntries, 2, 1},
                                                        {0, 0, 256},
                                                        {0, 1, 256},
                                                        {0, 2, 1},
                                                        {1, 0, 2}}));
  EXPECT_EQ(tiles_between(255, 256),
            (std::vector<Tile>{{kEntries, 0, 256}, {0, 0, 256}, {1, 0, 1}}));
}

// A log's tile files in memory, as TileEdge makes them.
struct Files {
  std::map<std::string, Bytes> files;
  TileEdge edge;

  void append(const Digest& leaf) {
    edge.append(leaf, [&](const Tile& tile, std::span<const Digest> hashes) {
      files[tile_path(tile)] = encode_tile(hashes);
    });
  }
  void publish() {
    for (const auto& [tile, bytes] : edge.partials()) files[tile_path(tile)] = bytes;
  }
  [[nodiscard]] TileReader reader() const {
    return [this](const Tile& tile) -> Result<Bytes> {
      const auto file = files.find(tile_path(tile));
      if (file == files.end()) return fail(ErrorCode::not_found, tile_path(tile));
      return file->second;
    };
  }
};

Files files_of(std::uint64_t size) {
  Files files;
  for (std::uint64_t i = 0; i < size; ++i) files.append(leaves()[i]);
  files.publish();
  return files;
}

TEST(Tiles, AreThoseOfTheVectorLog) {
  const Files files = files_of(70'000);
  for (const auto& [path, hash] : vectors().at("tile_sha256_at_size_70000").items()) {
    ASSERT_TRUE(files.files.contains(path)) << path;
    EXPECT_EQ(sha256(files.files.at(path)), digest(hash)) << path;
  }
  for (const auto& [path, hash] : vectors().at("bundle_sha256_at_size_70000").items()) {
    const Tile tile = *parse_tile_path(path);
    std::vector<Bytes> entries;
    for (int i = 0; i < tile.width; ++i) {
      entries.push_back(to_bytes(test::entry(tile.index * 256 + static_cast<std::uint64_t>(i))));
    }
    EXPECT_EQ(sha256(encode_bundle(entries)), digest(hash)) << path;
  }
  // Every tile that the size implies, and no other.
  std::size_t hash_tiles = 0;
  for (const Tile& tile : tiles_between(0, 70'000)) {
    if (tile.level == kEntries) continue;
    ++hash_tiles;
    EXPECT_TRUE(files.files.contains(tile_path(tile))) << tile_path(tile);
  }
  EXPECT_EQ(files.files.size(), hash_tiles);
  EXPECT_EQ(files.edge.root(), digest(vectors().at("root").at("70000")));
}

TEST(Tiles, GiveEveryNodeAndEveryProof) {
  for (const std::uint64_t size : {1u, 2u, 255u, 256u, 257u, 511u, 512u, 700u, 65'537u, 70'000u}) {
    const Files files = files_of(size);
    const NodeSource source = tile_source(size, files.reader());
    EXPECT_EQ(*root_at(size, source), root_of(first(size))) << size;
    for (const std::uint64_t index : {std::uint64_t{0}, size / 3, size - 1}) {
      const auto proof = inclusion_proof(index, size, source);
      ASSERT_TRUE(proof) << size << ' ' << index << proof.error().message;
      EXPECT_TRUE(verify_inclusion(index, size, leaves()[index], *proof, root_of(first(size))));
    }
    for (const std::uint64_t from : {std::uint64_t{1}, size / 2 + 1, size}) {
      const auto proof = consistency_proof(from, size, source);
      ASSERT_TRUE(proof);
      EXPECT_TRUE(
          verify_consistency(from, size, *proof, root_of(first(from)), root_of(first(size))));
    }
    EXPECT_FALSE(source({0, size}));
    EXPECT_FALSE(source({63, 0}));
    EXPECT_FALSE(source({-1, 0}));
  }
}

TEST(Tiles, AWiderTileServesAPartialOne) {
  const Files files = files_of(600);
  // Size 300 asks for tile/0/001.p/44, of which only the full tile is left.
  const TileReader full_only = [&](const Tile& tile) -> Result<Bytes> {
    Tile full = tile;
    full.width = tile_width(tile.level, tile.index, 600);
    return files.reader()(full);
  };
  EXPECT_EQ(*root_at(300, tile_source(300, full_only)), root_of(first(300)));
  EXPECT_EQ(TileEdge::load(300, full_only)->root(), root_of(first(300)));
}

TEST(Tiles, TheEdgeGoesOnWhereItWasLoaded) {
  for (const std::uint64_t size : {0u, 1u, 255u, 256u, 257u, 511u, 65'535u, 65'536u}) {
    Files files = files_of(size);
    auto loaded = TileEdge::load(size, files.reader());
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->root(), root_of(first(size)));
    for (std::uint64_t i = size; i < size + 300; ++i) {
      loaded->append(leaves()[i], [](const Tile&, std::span<const Digest>) {});
    }
    EXPECT_EQ(loaded->size(), size + 300);
    EXPECT_EQ(loaded->root(), root_of(first(size + 300)));
  }
}

TEST(Tiles, OfAnotherLengthAreRefused) {
  EXPECT_EQ(parse_tile(Bytes(64), 2)->size(), 2u);
  EXPECT_FALSE(parse_tile(Bytes(63), 2));
  EXPECT_FALSE(parse_tile(Bytes(96), 2));
  EXPECT_FALSE(parse_tile(Bytes(), 1));
  const auto reading = [](std::size_t bytes) {
    return root_at(2,
                   tile_source(2, [bytes](const Tile&) -> Result<Bytes> { return Bytes(bytes); }))
        .ok();
  };
  EXPECT_TRUE(reading(64));
  EXPECT_TRUE(reading(8192));
  EXPECT_FALSE(reading(0));
  EXPECT_FALSE(reading(32));
  EXPECT_FALSE(reading(65));
  EXPECT_FALSE(reading(8224));
}

TEST(Bundle, RoundTripsAndRefusesDamage) {
  const std::vector<Bytes> entries{to_bytes("one"), {}, Bytes(kEntryBytesMax, 7)};
  const Bytes bundle = encode_bundle(entries);
  EXPECT_EQ(hex(View(bundle).first(5)), "00036f6e65");
  const auto read = parse_bundle(bundle, 3);
  ASSERT_TRUE(read);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(text((*read)[i]), text(entries[i]));
  EXPECT_FALSE(parse_bundle(bundle, 2));
  EXPECT_FALSE(parse_bundle(bundle, 4));
  const std::vector<Bytes> two{to_bytes("one"), to_bytes("two")};
  const Bytes small = encode_bundle(two);
  for (std::size_t i = 0; i < small.size(); ++i) {
    EXPECT_FALSE(parse_bundle(View(small).first(i), 2)) << i;
  }
}

}  // namespace
}  // namespace harambee::log

// A hub of a log of 100,000 entries with 1,000 peers, until standard input ends. Prints its
// address.
#include <cstdio>
#include <iostream>
#include <thread>

#include "bench/large_log.h"
#include "hub/hub.h"
#include "log/tile.h"
#include "net/http_server.h"
#include "store/memory_blobs.h"
#include "store/memory_order.h"
#include "store/memory_shelf.h"

namespace {

using namespace harambee;
using namespace harambee::bench;

void put_tiles(hub::Shelf& shelf) {
  log::TileEdge edge;
  const auto put = [&shelf](const log::Tile& tile, View bytes) {
    HARAMBEE_CHECK(shelf.replace(log::tile_path(tile), bytes).ok());
  };
  const auto full = [&](const log::Tile& tile, std::span<const Digest> hashes) {
    put(tile, log::encode_tile(hashes));
  };
  const std::vector<Bytes>& entries = large_log().entries;
  for (const Bytes& entry : entries) edge.append(log::leaf_hash(entry), full);
  for (const auto& [tile, bytes] : edge.partials()) put(tile, bytes);
  for (std::size_t from = 0; from < entries.size(); from += log::kTileWidth) {
    const std::size_t width = std::min<std::size_t>(log::kTileWidth, entries.size() - from);
    put({log::kEntries, from / log::kTileWidth, static_cast<int>(width)},
        log::encode_bundle(std::span(entries).subspan(from, width)));
  }
}

}  // namespace

int main() {
  GivenLog log;
  hub::LogFolder folder(log);
  folder.catch_up();
  const auto order = store::make_memory_order();
  const auto shelf = store::make_memory_shelf();
  const auto blobs = store::make_memory_blobs();
  put_tiles(*shelf);
  hub::HubOptions options;
  options.vkey = log_vkey();
  options.folder = &folder;
  const auto handler = hub::make_hub(options, log, *order, *shelf, *blobs, [] {});
  auto server = *net::HttpServer::listen({}, *handler);
  std::printf("http://127.0.0.1:%u\n", server->port());
  std::fflush(stdout);
  std::thread watcher([&server] {
    for (std::string line; std::getline(std::cin, line);) {
    }
    server->stop();
  });
  server->run(100);
  watcher.join();
}

// Blobs as files: DIR/blobs/ab/<hex>, unfinished uploads as DIR/uploads/<hex>.part.
#pragma once

#include <memory>
#include <string>

#include "hub/shelf.h"

namespace harambee::store {

// Thread-safe. Creates DIR as needed. get() reads at most bytes_max.
[[nodiscard]] Result<std::unique_ptr<hub::BlobShelf>> open_file_blobs(
    const std::string& dir, std::uint64_t bytes_max = 16ull << 30);

}  // namespace harambee::store

// Blobs as files: DIR/blobs/ab/<hex>, unfinished uploads as DIR/uploads/<hex>.part.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "hub/shelf.h"

namespace harambee::store {

// After this time without a byte an unfinished upload is dropped, at the next start.
inline constexpr std::chrono::hours kUnfinishedUploadKept{7 * 24};

// Thread-safe. Creates DIR as needed. get() reads at most bytes_max.
[[nodiscard]] Result<std::unique_ptr<hub::BlobShelf>> open_file_blobs(
    const std::string& dir, std::uint64_t bytes_max = 16ull << 30);

}  // namespace harambee::store

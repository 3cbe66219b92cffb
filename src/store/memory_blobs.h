// Blobs in memory, for tests and simulations.
#pragma once

#include <memory>

#include "hub/shelf.h"

namespace harambee::store {

[[nodiscard]] std::unique_ptr<hub::BlobShelf> make_memory_blobs();

}  // namespace harambee::store

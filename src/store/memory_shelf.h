// Small files in memory, for tests and simulations.
#pragma once

#include <memory>

#include "hub/shelf.h"

namespace harambee::store {

[[nodiscard]] std::unique_ptr<hub::Shelf> make_memory_shelf();

}  // namespace harambee::store

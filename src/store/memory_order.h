// hub::Order in memory, for tests and simulations.
#pragma once

#include <memory>

#include "hub/order.h"

namespace harambee::store {

[[nodiscard]] std::unique_ptr<hub::Order> make_memory_order();

}  // namespace harambee::store

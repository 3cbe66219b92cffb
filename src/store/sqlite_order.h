// hub::Order in SQLite: WAL, synchronous=FULL, one transaction a batch.
#pragma once

#include <memory>
#include <string>

#include "hub/order.h"

namespace harambee::store {

// Creates the database as needed; refuses one of another schema version.
[[nodiscard]] Result<std::unique_ptr<hub::Order>> open_sqlite_order(const std::string& path);

}  // namespace harambee::store

// The list of uploads in memory, for tests.
#pragma once

#include <memory>

#include "hub/upload_ledger.h"

namespace harambee::store {

[[nodiscard]] std::unique_ptr<hub::UploadLedger> make_memory_uploads();

}  // namespace harambee::store

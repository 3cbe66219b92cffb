// The list of uploads in an SQLite file of its own.
#pragma once

#include <memory>
#include <string>

#include "hub/upload_ledger.h"

namespace harambee::store {

// Made if it is not there. invalid: a file of another version.
[[nodiscard]] Result<std::unique_ptr<hub::UploadLedger>> open_sqlite_uploads(
    const std::string& path);

}  // namespace harambee::store

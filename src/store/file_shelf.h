// Small files in a folder. Files made by create() are read-only (0444).
#pragma once

#include <memory>
#include <string>

#include "hub/shelf.h"

namespace harambee::store {

[[nodiscard]] Result<std::unique_ptr<hub::Shelf>> open_file_shelf(const std::string& dir);

}  // namespace harambee::store

// Where a record is.
#pragma once

#include <cstdint>

#include "record/record.h"

namespace harambee::fold {

struct Place {
  std::uint64_t index = 0;  // in the log
  RecordId id;
  bool operator==(const Place&) const = default;
};

}  // namespace harambee::fold

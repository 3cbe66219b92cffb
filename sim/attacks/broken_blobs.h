// Contributions that are no delta: each spoils a good blob of codec `sign` in one way, and says
// under what words a reader must refuse it. For the simulator's peers and the tests.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace harambee::attacks {

struct BrokenBlob {
  std::string_view name;
  std::string_view reason;  // part of Delta::parse's message
  Bytes (*make)(View good);
};

[[nodiscard]] std::span<const BrokenBlob> broken_blobs();

}  // namespace harambee::attacks

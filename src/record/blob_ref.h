// What a record says of a blob: large bytes are named by their digest and live off the log.
#pragma once

#include <cstdint>
#include <string>

#include "base/hash.h"

namespace harambee {

struct BlobRef {
  Digest digest;           // SHA-256 of the whole blob
  std::uint64_t size = 0;  // bytes, at most kBlobBytesMax
  std::string type;        // media type
  bool operator==(const BlobRef&) const = default;
};

}  // namespace harambee

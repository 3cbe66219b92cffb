// Bytes named by their SHA-256.
#pragma once

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "record/blob_ref.h"

namespace harambee {

class Blobs {
 public:
  virtual ~Blobs() = default;
  // The bytes whose SHA-256 is `want`, checked before they are returned.
  // not_found: nobody we asked has them; asking later may succeed. corrupt: stored bytes changed.
  [[nodiscard]] virtual Result<Bytes> get(const Digest& want) = 0;
  // Durable when it returns. Putting what is there already is fine.
  [[nodiscard]] virtual Status put(const Digest& digest, View bytes) = 0;
  [[nodiscard]] virtual bool has(const Digest& digest) const = 0;
};

}  // namespace harambee

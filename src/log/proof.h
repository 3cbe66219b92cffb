// C2SP tlog-proof@v1: an offline receipt that an entry is in a log (file suffix .tlog-proof).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "log/checkpoint.h"
#include "log/merkle.h"

namespace harambee::log {

struct Proof {
  std::uint64_t index = 0;
  ProofHashes hashes;
  std::optional<Bytes> extra;
  std::string checkpoint;  // the signed note, verbatim

  bool operator==(const Proof&) const = default;
  [[nodiscard]] std::string str() const;
  // Exactly what str() writes, else refused.
  [[nodiscard]] static Result<Proof> parse(View bytes);
};

// That `entry` is at proof.index of the log whose key is `key`; the checkpoint that says so.
[[nodiscard]] Result<SignedCheckpoint> verify_proof(const Proof& proof, View entry,
                                                    const VerifierKey& key);

}  // namespace harambee::log

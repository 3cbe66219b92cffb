// C2SP tlog-checkpoint and cosignature/v1: a log's promise about its first `size` entries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "log/note.h"

namespace harambee::log {

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root;
  std::vector<std::string> extensions;  // further lines, without LF

  bool operator==(const Checkpoint&) const = default;
  // origin LF size LF base64(root) LF extensions.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static Result<Checkpoint> parse(std::string_view text);
};

struct SignedCheckpoint {
  Checkpoint checkpoint;
  Note note;
};

// The log's own signature; the key's name is the origin.
[[nodiscard]] std::string sign_checkpoint(const Checkpoint& checkpoint, const SecretKey& key);
// Parses and verifies: signed by `key` (type ed25519), whose name must be the origin.
[[nodiscard]] Result<SignedCheckpoint> open_checkpoint(View note, const VerifierKey& key);

// Adds a witness's line: it saw this checkpoint at `unix_s` and found it consistent.
void cosign(Note& checkpoint, const NoteSigner& witness, std::uint64_t unix_s);
// The time of the cosignature by `key` (type cosignature_v1).
// not_found: no line of that key. invalid: there is one, and it is false.
[[nodiscard]] Result<std::uint64_t> verify_cosignature(const Note& checkpoint,
                                                       const VerifierKey& key);

}  // namespace harambee::log

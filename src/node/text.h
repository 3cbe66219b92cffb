// Text of a person's files and folders, cut into the shards of a run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::node {

inline constexpr std::uint64_t kTextPieceBytes = 16 * 1024;  // less for little text
inline constexpr std::uint64_t kTextPieceBytesMin = 512;
inline constexpr std::uint64_t kTextFilesMax = 1'000'000;
inline constexpr unsigned kHeldOutPercent = 6;

struct TextOptions {
  std::vector<std::string> paths;  // files and folders; folders are walked, hidden names skipped
  unsigned shards = 64;
  std::uint64_t bytes_max = 256ull << 20;       // more text is left out, with a note
  unsigned held_out_percent = kHeldOutPercent;  // of the pieces; 0: nothing is held out
  std::function<bool()> stop;                   // may be empty; true: end with `cancelled`
};

// Text cut into pieces, each piece once, each in the shard that the hash of its bytes says: the
// same text gives the same shards wherever it lies and in whatever order the files are found.
struct TextShards {
  std::vector<Bytes> train;  // none is empty
  Bytes held_out;            // empty if nothing is to be held out
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;            // kept
  std::uint64_t duplicate_bytes = 0;  // pieces met before
  std::vector<std::string> notes;  // "skipped PATH: why", at most 100 and a last "… and n more"
};
// not_found: a path does not exist. invalid: no text in it, or too little for the model's context.
// io: a named file cannot be read (files inside folders are skipped with a note).
[[nodiscard]] Result<TextShards> read_text(const TextOptions& options, std::uint64_t context);

}  // namespace harambee::node

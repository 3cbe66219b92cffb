// Opening a run: text becomes shards, the maintainer's machine trains the first weights, and two
// records say so. Every step leaves its result in the state directory, so that the same call goes
// on where a killed one stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "fold/recipe.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::node {

inline constexpr std::uint64_t kTextPieceBytes = 16 * 1024;
inline constexpr std::uint64_t kTextFilesMax = 1'000'000;
inline constexpr unsigned kHeldOutPercent = 6;

struct TextOptions {
  std::vector<std::string> paths;  // files and folders; folders are walked, hidden names skipped
  unsigned shards = 64;
  std::uint64_t bytes_max = 256ull << 20;  // more text is left out, with a note
};

// Text cut into pieces, each piece once, each in the shard that the hash of its bytes says: the
// same text gives the same shards wherever it lies and in whatever order the files are found.
struct TextShards {
  std::vector<Bytes> train;  // none is empty
  Bytes held_out;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;            // kept
  std::uint64_t duplicate_bytes = 0;  // pieces met before
  std::vector<std::string> notes;  // "skipped PATH: why", at most 100 and a last "… and n more"
};
// not_found: a path does not exist. invalid: no text in it, or too little for the model's context.
// io: a named file cannot be read (files inside folders are skipped with a note).
[[nodiscard]] Result<TextShards> read_text(const TextOptions& options, std::uint64_t context);

struct RunOpenOptions {
  std::string hub_url;
  std::string name;
  fold::Recipe recipe;
  TextOptions text;
  std::optional<KeyId> coordinator;  // none: the maintainer
  std::vector<KeyId> validators;     // none: the maintainer
  std::string dir;                   // state; locked while this runs
  std::vector<std::string> trainer;  // command of an exact trainer
  unsigned threads = 1;
  struct Progress {
    std::string stage;  // "text", "upload", "warm", "done"
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::string detail;  // warm: "loss 2.345, 12345 tokens/s"
  };
  std::function<void(const Progress&)> progress;
  std::function<void(const std::string&)> note;
  std::function<bool()> stop;
};

struct OpenedRun {
  Digest run;
  std::string url;  // http://host:port/runs/NAME
  Digest weights;   // of the start record
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  std::int64_t warm_tokens = 0;
  std::uint64_t parameters = 0;
  std::uint64_t train_bytes = 0;
  std::uint64_t held_out_bytes = 0;
  std::uint64_t shards = 0;
  bool was_open = false;  // everything was on the log already
};

// conflict: the name is taken by another run, or the directory is in use.
[[nodiscard]] Result<OpenedRun> open_run(Wire& wire, Clock& clock, const SecretKey& key,
                                         const RunOpenOptions& options);

// The seed of the data order of the maintainer's warm start.
[[nodiscard]] Digest warm_seed(const Digest& run);

}  // namespace harambee::node

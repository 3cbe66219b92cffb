// Verifies a log from its first entry: signed checkpoint, every entry bundle, every hash tile,
// every signature, and the fold. Believes nothing but SHA-256, Ed25519 and the rules.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "fold/acts.h"
#include "fold/repos.h"
#include "fold/sample.h"
#include "fold/state.h"
#include "log/checkpoint.h"
#include "node/log_source.h"
#include "record/blob_ref.h"

namespace harambee::node {

// Something that is not what it claims to be.
struct Fault {
  std::string
      place;  // "tile/0/000.p/12", "tile/entries/000 entry 5", "blobs/ab/ab…", "run demo round 3"
  std::string what;
};

// Faults beyond this many are counted, not listed.
inline constexpr std::size_t kFaultsListedMax = 32;

// A blob that a record names, and the first record that does.
struct NamedBlob {
  BlobRef ref;
  std::uint64_t index = 0;      // of the record
  std::string kind;             // of the record
  bool applied = false;         // the record changed the fold's state
  std::optional<RecordId> run;  // that the record is about; a run record is about itself
};

// A sample that the fold took.
struct LoggedSample {
  fold::Place place;
  KeyId author;
  fold::Sample act;
};

struct AuditedLog {
  log::Checkpoint checkpoint;
  std::string vkey;
  fold::LogState state;
  fold::Repos repos;
  // Contributions that the fold took, by record id: what a retraining needs.
  std::map<RecordId, fold::Contribution> contributions;
  // Scores that the fold took, by record id.
  std::map<RecordId, fold::Score> scores;
  std::vector<LoggedSample> samples;  // in log order
  std::map<Digest, NamedBlob> blobs;  // that any record names
  std::uint64_t entries = 0;
  std::uint64_t inert = 0;
  std::uint64_t bundles = 0;
  std::uint64_t tiles = 0;
  double seconds = 0;      // fetching, hashing, signatures and fold, wall clock
  double cpu_seconds = 0;  // of all threads
  std::vector<Fault> faults;
  std::uint64_t faults_count = 0;

  void fault(std::string place, std::string what);
};

struct LogProgress {
  std::uint64_t done = 0;  // entries
  std::uint64_t total = 0;
};

struct VerifyLogOptions {
  unsigned threads = 0;  // for signatures; 0: all cores
  // The key that the log must have; empty: the one its own genesis names (trust on first use).
  std::string vkey;
  std::function<void(const LogProgress&)> progress;  // may be empty; called from one thread
  std::function<bool()> stop;                        // may be empty; true: end with `cancelled`
};

// A value even when faults were found: they name the place. An error only when the work could not
// be done (unavailable, cancelled). Memory: the fold's state and a few bundles.
[[nodiscard]] Result<AuditedLog> verify_log(LogSource& source, const VerifyLogOptions& options);

}  // namespace harambee::node

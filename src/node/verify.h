// The whole audit of a log: node/verify_log.h, then every blob that a record names, then the
// weights of every closed round replayed bit for bit, and on request the training itself.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "node/audit_trainer.h"
#include "node/log_source.h"
#include "node/verify_log.h"
#include "node/verify_repos.h"

namespace harambee::node {

struct VerifyOptions {
  VerifyLogOptions log;
  std::string run;      // replay this run alone; empty: every run of the log
  bool weights = true;  // replay aggregation and outer steps
  bool retrain_start = false;
  std::uint64_t retrain = 0;  // contributions of class exact-1 to train again, over all runs
  bool retrain_all = false;
  bool audits = false;                       // do all logged audits once more
  std::uint64_t rescore = 0;                 // score records to evaluate again
  std::uint64_t samples = 0;                 // samples of a run's text to write again, of each run
  std::optional<Digest> seed;                // of the choice; none: the checkpoint's root
  std::vector<std::string> trainer;          // command and arguments of an exact trainer
  std::vector<AuditTrainer> audit_trainers;  // for audits of inexact classes
  unsigned trainer_threads = 1;
  std::string work_dir;  // made as needed; emptied of what this audit wrote
  struct Progress {
    std::string stage;  // "log", "blobs", "weights", "audits", "retrain", "rescore", "samples"
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::string unit;  // "records", "blobs", "rounds", "contributions", "scores", "samples"
  };
  std::function<void(const Progress&)> progress;
  std::function<bool()> stop;
};

struct VerifiedRun {
  std::string name;
  Digest id;
  std::string phase;
  std::uint64_t rounds = 0;  // closed
  std::uint64_t rounds_replayed = 0;
  Digest weights;              // the last, on the log and reproduced
  std::uint64_t withheld = 0;  // contributions whose blob nobody has, and that earned nothing
  std::uint64_t pending = 0;   // blobs of the open round that are not there yet
};

struct VerifyReport {
  std::string where;
  std::string origin;
  std::string vkey;
  std::uint64_t entries = 0;
  std::uint64_t inert = 0;
  Digest root;
  Digest state;  // fold::state_hash
  std::uint64_t bundles = 0;
  std::uint64_t tiles = 0;
  std::uint64_t blobs = 0;
  std::uint64_t blob_bytes = 0;
  std::vector<VerifiedRun> runs;
  VerifiedRepos repos;  // of an audit of the whole log
  std::uint64_t start_retrained = 0;
  std::uint64_t retrained = 0;        // contributions trained again
  std::uint64_t retrained_exact = 0;  // of them, those that gave the committed bytes
  std::uint64_t audits = 0;           // audited contributions trained again
  std::uint64_t audits_forged = 0;    // of them, those that gave other bytes than were sent
  // Audited contributions of inexact classes (verify_audits.h).
  std::uint64_t audits_inexact = 0;     // trained again
  std::uint64_t audits_near = 0;        // of them, those that came near
  std::uint64_t audits_unrepeated = 0;  // for which there is no trainer here that could
  std::vector<Fault> disagreements;     // auditors' answers that come out otherwise here: no faults
  std::uint64_t facts_checked = 0;      // score records whose facts about blobs were stated again
  std::uint64_t rescored = 0;
  std::uint64_t rescored_exact = 0;
  std::uint64_t samples = 0;        // samples that the model wrote again
  std::uint64_t samples_exact = 0;  // of them, those with the same bytes
  double seconds_log = 0, seconds_blobs = 0, seconds_weights = 0, seconds_retrain = 0;
  double records_per_second_core = 0;
  std::vector<Fault> faults;
  std::uint64_t faults_count = 0;

  [[nodiscard]] bool verified() const { return faults_count == 0; }
};

// A report even when faults were found. An error only when the work could not be done:
// unavailable, cancelled, io, invalid (no such run).
[[nodiscard]] Result<VerifyReport> verify(LogSource& source, const VerifyOptions& options);

// `harambee verify --json`.
[[nodiscard]] std::string to_json(const VerifyReport& report);

}  // namespace harambee::node

// Trains contributions again and compares the bytes: whoever says its trainer is exact must have
// sent just what that training gives. The chain of a member's optimizer and error-feedback states
// is recomputed from its last fresh start up to each chosen contribution
// (spec/trainer-protocol.md).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "fold/acts.h"
#include "fold/state.h"
#include "node/replay.h"
#include "node/trainer_process.h"

namespace harambee::node {

using fold::kExactClass;

// A contribution that a retraining may be asked for.
struct Trained {
  fold::Place place;
  KeyId author;
  std::int64_t round = 0;
  bool accepted = false;
  const fold::Contribution* act = nullptr;  // borrowed
};

// Accepted contributions whose whole chain is of class exact-1, in log order. What was refused
// moved and earned nothing, as what an audit may draw (spec/audit.md §2); it is trained again only
// on the way to one of these. Those of excluded members are left out: they have been caught.
[[nodiscard]] std::vector<Trained> retrainable(const fold::RunState& run,
                                               const std::map<RecordId, fold::Contribution>& acts);

// `count` of them, chosen by the seed (a partial Fisher–Yates shuffle), in log order.
[[nodiscard]] std::vector<Trained> choose(std::vector<Trained> all, std::uint64_t count,
                                          const Digest& seed);

struct RetrainEnvironment {
  TrainerProcess& trainer;
  std::vector<std::string> shards;  // paths of all training shards, in the manifest's order
  std::string work_dir;             // files of this retraining; the caller empties it
  std::function<bool()> go_on;      // may be empty
};

// What came out for one chosen contribution.
struct Retrained {
  Trained chosen;
  bool exact = false;
  std::string difference;  // empty if exact
};

class Retraining {
 public:
  Retraining(const fold::RunState& run, std::vector<Trained> chosen,
             const std::map<RecordId, fold::Contribution>& acts);

  // All that has to be trained in this round, chosen or on the way to a chosen one.
  [[nodiscard]] bool needs(std::int64_t round) const { return needed_.contains(round); }
  [[nodiscard]] std::uint64_t total() const { return total_; }  // trainings, over all rounds
  [[nodiscard]] std::uint64_t done() const { return done_; }
  // Trains this round's contributions from replay.weights(); rounds come in order.
  [[nodiscard]] Result<std::vector<Retrained>> round(const Replay& replay,
                                                     const RetrainEnvironment& environment);

 private:
  struct Chain {
    std::vector<float> residual;  // e; empty: all zero
    Digest optimizer;             // digest of the state file
    bool broken = false;          // its states differed: what comes after cannot be compared
  };
  [[nodiscard]] Result<Retrained> one(const Trained& trained, const Replay& replay,
                                      const RetrainEnvironment& environment);
  [[nodiscard]] Result<fold::Replica> train(const Trained& trained, const Replay& replay,
                                            const RetrainEnvironment& environment, Chain& chain);

  const fold::RunState& run_;
  std::map<std::int64_t, std::vector<Trained>> needed_;  // by round
  std::set<RecordId> chosen_;
  std::map<KeyId, Chain> chains_;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace harambee::node

// Which blobs that records name need not be there, and why.
#pragma once

#include <map>
#include <set>

#include "base/hash.h"
#include "fold/state.h"
#include "format/data.h"

namespace harambee::node {

// What the log says of a blob that may be missing.
struct Excuse {
  bool closed = false;  // its round is closed
  bool withheld = false;
};

// Deltas of open rounds, and those that were withheld and therefore earned nothing; what the newest
// close of a run that goes on names, a moment before it is on the hub; and all of a run that has
// not started, of which nothing was made.
class Excuses {
 public:
  void add(const fold::RunState& run, const format::DataManifest& manifest);
  // Null: it must be there.
  [[nodiscard]] const Excuse* find(const Digest& digest) const;

 private:
  std::map<Digest, Excuse> excuses_;
  std::set<Digest> needed_;  // whatever else is said of them
};

}  // namespace harambee::node

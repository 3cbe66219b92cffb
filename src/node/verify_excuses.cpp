#include "node/verify_excuses.h"

#include "fold/acts.h"

namespace harambee::node {

void Excuses::add(const fold::RunState& run, const format::DataManifest& manifest) {
  for (const fold::ClosedRound& round : run.history) {
    for (const fold::ClosedContribution& one : round.contributions) {
      if (one.accepted || !one.reason.starts_with(fold::kVerdictWithheld)) {
        needed_.insert(one.delta.digest);
      } else {
        excuses_[one.delta.digest] = {true, true};
      }
    }
  }
  for (const fold::Committed& one : run.round.contributions) {
    excuses_.try_emplace(one.act.delta.digest);
  }
  if (!run.start) {
    excuses_.try_emplace(run.data.digest);
    for (const auto* list : {&manifest.train, &manifest.heldout}) {
      for (const format::Shard& shard : *list) excuses_.try_emplace(shard.digest);
    }
    return;
  }
  if (run.phase == fold::Phase::finished) return;
  if (run.history.empty()) {
    excuses_.try_emplace(run.start->checkpoint.digest);
    return;
  }
  const fold::ClosedRound& newest = run.history.back();
  if (newest.update) excuses_.try_emplace(newest.update->digest);
  if (newest.checkpoint) excuses_.try_emplace(newest.checkpoint->digest);
}

const Excuse* Excuses::find(const Digest& digest) const {
  const auto it = excuses_.find(digest);
  return it == excuses_.end() || needed_.contains(digest) ? nullptr : &it->second;
}

}  // namespace harambee::node

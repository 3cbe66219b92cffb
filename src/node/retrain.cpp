#include "node/retrain.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/rng.h"
#include "node/link.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

// Everything that a member ever contributed, in log order.
std::map<KeyId, std::vector<Trained>> by_member(
    const fold::RunState& run, const std::map<RecordId, fold::Contribution>& acts) {
  std::map<KeyId, std::vector<Trained>> members;
  for (const fold::ClosedRound& round : run.history) {
    for (const fold::ClosedContribution& one : round.contributions) {
      auto act = acts.find(one.place.id);
      if (act == acts.end()) continue;
      members[one.author].push_back(
          {one.place, one.author, round.number, one.accepted, &act->second});
    }
  }
  return members;
}

bool is_fresh(const fold::Contribution& act) {
  return !act.error_feedback.before && !act.optimizer.before;
}

std::string differs(const char* what, const Digest& made, const Digest& told) {
  return std::string("training again gives the ") + what + " " + made.hex() + ", the record says " +
         told.hex();
}

// The first difference, or an empty text.
std::string difference_of(const fold::Replica& made, const fold::Contribution& act) {
  if (made.optimizer != act.optimizer.after) {
    return differs("optimizer state", made.optimizer, act.optimizer.after);
  }
  if (!made.delta) return "training again gives no delta";
  if (*made.delta != act.delta.digest) return differs("delta", *made.delta, act.delta.digest);
  if (*made.error_feedback != act.error_feedback.after) {
    return differs("error feedback", *made.error_feedback, act.error_feedback.after);
  }
  return {};
}

}  // namespace

std::vector<Trained> retrainable(const fold::RunState& run,
                                 const std::map<RecordId, fold::Contribution>& acts) {
  std::vector<Trained> all;
  for (const auto& [author, list] : by_member(run, acts)) {
    const fold::Member* member = run.member(author);
    if (member == nullptr || member->excluded) continue;
    bool exact_chain = false;
    for (const Trained& trained : list) {
      if (is_fresh(*trained.act)) exact_chain = true;
      exact_chain = exact_chain && trained.act->numeric_class == kExactClass;
      if (exact_chain && trained.accepted) all.push_back(trained);
    }
  }
  std::ranges::sort(all, {}, [](const Trained& trained) { return trained.place.index; });
  return all;
}

std::vector<Trained> choose(std::vector<Trained> all, std::uint64_t count, const Digest& seed) {
  Rng rng(seed);
  count = std::min<std::uint64_t>(count, all.size());
  for (std::uint64_t i = 0; i < count; ++i) std::swap(all[i], all[i + rng.below(all.size() - i)]);
  all.resize(count);
  std::ranges::sort(all, {}, [](const Trained& trained) { return trained.place.index; });
  return all;
}

Retraining::Retraining(const fold::RunState& run, std::vector<Trained> chosen,
                       const std::map<RecordId, fold::Contribution>& acts)
    : run_(run) {
  for (const Trained& trained : chosen) chosen_.insert(trained.place.id);
  for (const auto& [author, list] : by_member(run, acts)) {
    // From the last chosen one backwards to the fresh start before it.
    bool wanted = false;
    for (auto trained = list.rbegin(); trained != list.rend(); ++trained) {
      wanted = wanted || chosen_.contains(trained->place.id);
      if (!wanted) continue;
      needed_[trained->round].push_back(*trained);
      ++total_;
      if (is_fresh(*trained->act)) wanted = false;
    }
  }
}

Result<std::vector<Retrained>> Retraining::round(const Replay& replay,
                                                 const RetrainEnvironment& environment) {
  std::vector<Retrained> results;
  auto needed = needed_.find(replay.round());
  if (needed == needed_.end()) return results;
  std::string base = environment.work_dir + "/base.safetensors";
  Status written =
      store::write_file_atomic(base, format::weights_file(replay.layout(), replay.weights()));
  if (!written) return written.error();
  for (const Trained& trained : needed->second) {
    if (environment.go_on && !environment.go_on()) return fail(ErrorCode::cancelled, "stopped");
    Result<Retrained> result = one(trained, replay, environment);
    if (!result) return result.error();
    ++done_;
    if (chosen_.contains(trained.place.id)) results.push_back(*std::move(result));
  }
  return results;
}

Result<Retrained> Retraining::one(const Trained& trained, const Replay& replay,
                                  const RetrainEnvironment& environment) {
  Chain& chain = chains_[trained.author];
  if (is_fresh(*trained.act)) chain = {};
  if (chain.broken) {
    return Retrained{trained, false, "an earlier contribution of its chain cannot be reproduced"};
  }
  Result<fold::Replica> made = train(trained, replay, environment, chain);
  if (!made) return made.error();
  const fold::Contribution& act = *trained.act;
  chain.broken =
      made->optimizer != act.optimizer.after || made->error_feedback != act.error_feedback.after;
  std::string difference = difference_of(*made, act);
  return Retrained{trained, difference.empty(), std::move(difference)};
}

Result<fold::Replica> Retraining::train(const Trained& trained, const Replay& replay,
                                        const RetrainEnvironment& environment, Chain& chain) {
  const fold::Contribution& act = *trained.act;
  std::vector<fs::path> shards;
  for (std::uint64_t index : shards_of_member(run_, trained.author, environment.shards.size())) {
    shards.emplace_back(environment.shards[index]);
  }
  const fs::path dir = environment.work_dir;
  const LinkWork work{environment.trainer,
                      run_,
                      replay.layout(),
                      std::move(shards),
                      dir / "base.safetensors",
                      replay.weights(),
                      replay.digest(),
                      dir / (trained.author.hex().substr(0, 16) + ".state"),
                      dir / "trained.safetensors",
                      environment.go_on};
  const Link link{trained.author, trained.round, !act.error_feedback.before, !act.optimizer.before};
  Result<fold::Replica> made = train_link(link, work, chain.residual);
  if (!made)
    return wrap(made.error(), "training contribution " + trained.place.id.hex() + " again");
  return made;
}

}  // namespace harambee::node

#include "node/retrain.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/rng.h"
#include "exact/outer_step.h"
#include "fold/assignment.h"
#include "node/round_math.h"
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
      members[one.author].push_back({one.place, one.author, round.number, &act->second});
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
      if (exact_chain) all.push_back(trained);
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
  Result<std::string> difference = compare(trained, replay, environment, chain);
  if (!difference) return difference.error();
  chain.broken = !difference->empty();
  return Retrained{trained, difference->empty(), *std::move(difference)};
}

// The first difference, or an empty text.
Result<std::string> Retraining::compare(const Trained& trained, const Replay& replay,
                                        const RetrainEnvironment& environment, Chain& chain) {
  const fold::Contribution& act = *trained.act;
  const fold::Recipe& recipe = run_.recipe;
  if (!act.error_feedback.before) chain.residual.clear();
  std::string state = environment.work_dir + "/" + trained.author.hex().substr(0, 16) + ".state";
  TrainRequest request;
  request.base = environment.work_dir + "/base.safetensors";
  if (act.optimizer.before) request.state = state;
  const fold::Member* member = run_.member(trained.author);
  HARAMBEE_CHECK(member != nullptr);
  for (std::uint64_t index :
       fold::shards_of(member->ordinal, static_cast<std::uint64_t>(recipe.shards_per_member),
                       environment.shards.size())) {
    request.shards.emplace_back(environment.shards[index]);
  }
  request.seed =
      fold::inner_seed(run_.id, static_cast<std::uint64_t>(trained.round), trained.author);
  request.first_step = trained.round * recipe.inner.steps;
  request.total_steps = recipe.total_steps();
  request.inner = recipe.inner;
  request.out = environment.work_dir + "/trained.safetensors";
  request.state_out = state + ".next";
  Result<TrainDone> done = environment.trainer.train(
      request, [&](const TrainProgress&) { return !environment.go_on || environment.go_on(); });
  if (!done)
    return wrap(done.error(), "training contribution " + trained.place.id.hex() + " again");
  std::error_code error;
  fs::rename(request.state_out, state, error);
  if (error) return fail(ErrorCode::io, state + ": " + error.message());
  if (done->state_digest != act.optimizer.after) {
    return differs("optimizer state", done->state_digest, act.optimizer.after);
  }
  Result<store::MappedFile> file = store::MappedFile::open(request.out.string());
  if (!file) return file.error();
  Result<std::span<const float>> weights = format::flat_weights(replay.layout(), file->bytes());
  if (!weights) return weights.error();
  Result<exact::Codec> codec = codec_of(recipe.codec);
  if (!codec) return codec.error();
  Result<Bytes> blob = encode_contribution(*codec, {replay.digest(), trained.author},
                                           replay.weights(), *weights, chain.residual);
  if (!blob) return std::string("training again gives no delta: ") + blob.error().message;
  if (Digest made = sha256(*blob); made != act.delta.digest) {
    return differs("delta", made, act.delta.digest);
  }
  if (Digest made = exact::floats_digest(chain.residual); made != act.error_feedback.after) {
    return differs("error feedback", made, act.error_feedback.after);
  }
  return std::string();
}

}  // namespace harambee::node

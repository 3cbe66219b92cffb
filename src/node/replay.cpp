#include "node/replay.h"

#include <algorithm>
#include <utility>

#include "fold/votes.h"
#include "node/round_math.h"

namespace harambee::node {
namespace {

std::string round_place(const fold::RunState& run, const fold::ClosedRound& round) {
  return "run " + run.name + " round " + std::to_string(round.number) + " (close record " +
         round.close.id.hex() + ", entry " + std::to_string(round.close.index) + ")";
}

Error differs(const std::string& place, const std::string& what, const Digest& made,
              const Digest& told) {
  return fail(ErrorCode::corrupt, place + ": the " + what + " should be " + made.hex() +
                                      ", the record says " + told.hex());
}

Result<std::vector<float>> load_weights(const format::ModelLayout& layout, const BlobRef& ref,
                                        const FetchBlob& blobs) {
  Result<Content> content = blobs(ref);
  if (!content) return content.error();
  Result<std::span<const float>> flat = format::flat_weights(layout, content->bytes());
  if (!flat) {
    return fail(ErrorCode::corrupt, blob_place(ref.digest) + ": " + flat.error().message);
  }
  return std::vector<float>(flat->begin(), flat->end());
}

// Whether a void before the opening of `until` took back what round r did.
bool taken_back(const fold::RunState& run, std::int64_t r, std::int64_t until) {
  return r + 1 < until && run.undone(static_cast<std::size_t>(r));
}

}  // namespace

std::string blob_place(const Digest& digest) {
  std::string name = digest.hex();
  return "blobs/" + name.substr(0, 2) + "/" + name;
}

FetchBlob checked_blobs(LogSource& source) {
  return [&source](const BlobRef& ref) -> Result<Content> {
    Result<Content> content = source.blob(ref.digest);
    if (!content) return wrap(content.error(), blob_place(ref.digest));
    if (content->bytes().size() != ref.size || sha256(content->bytes()) != ref.digest) {
      return fail(ErrorCode::corrupt,
                  blob_place(ref.digest) + ": its bytes do not have this digest");
    }
    return content;
  };
}

Result<Replay> Replay::begin(const fold::RunState& run, FetchBlob blobs) {
  if (!run.start) return invalid("run " + run.name + " has not started");
  Result<format::ModelLayout> layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return wrap(layout.error(), "run " + run.name);
  Replay replay(run, std::move(blobs), *std::move(layout));
  Result<exact::Codec> up = codec_of(run.recipe.codec);
  Result<exact::Codec> down = codec_of(run.recipe.down);
  if (!up) return wrap(up.error(), "run " + run.name);
  if (!down) return wrap(down.error(), "run " + run.name);
  replay.up_ = *up;
  replay.down_ = *down;
  Result<std::vector<float>> weights =
      load_weights(replay.layout_, run.start->checkpoint, replay.blobs_);
  if (!weights) return weights.error();
  replay.state_.weights = *std::move(weights);
  replay.state_.residual.assign(replay.state_.weights.size(), 0.0F);
  replay.digest_ = run.start->checkpoint.digest;
  return replay;
}

Status Replay::next() {
  HARAMBEE_CHECK(!done());
  const fold::ClosedRound& round = run_->history[next_];
  if (round.base != digest_) return differs(round_place(*run_, round), "base", digest_, round.base);
  if (run_->undone(next_)) before_ = state_;
  if (round.voided) {
    HARAMBEE_CHECK(before_.has_value());  // the fold voids only a round after an update
    state_ = *std::exchange(before_, std::nullopt);
    update_.clear();
  } else if (Status done = compute(round); !done) {
    return done;
  }
  if (Status same = compare(round); !same) return same;
  digest_ = round.weights;
  ++next_;
  return ok();
}

Status Replay::compute(const fold::ClosedRound& round) {
  std::vector<Content> contents;
  Accepted accepted;
  std::vector<std::size_t> positions;
  std::vector<std::size_t> named;
  for (std::size_t i = 0; i < round.contributions.size(); ++i) {
    const fold::ClosedContribution& contribution = round.contributions[i];
    if (!contribution.accepted) continue;
    std::string place = round_place(*run_, round) + ", contribution " +
                        contribution.place.id.hex() + " (entry " +
                        std::to_string(contribution.place.index) + ")";
    Result<Content> content = blobs_(contribution.delta);
    if (!content) return wrap(content.error(), place);
    contents.push_back(*std::move(content));
    Result<exact::Delta> delta = exact::Delta::parse(contents.back().bytes(), layout_.parameters(),
                                                     up_, {round.base, contribution.author});
    if (!delta) {
      return fail(ErrorCode::corrupt, place + ", " + blob_place(contribution.delta.digest) +
                                          ": accepted, but " + delta.error().message);
    }
    accepted.deltas.push_back(*std::move(delta));
    accepted.standing.push_back(contribution.standing);
    positions.push_back(i);
    named.push_back(static_cast<std::size_t>(contribution.group));
  }
  update_.clear();
  if (positions.empty()) return ok();  // nobody was accepted: nothing moves
  accepted.group = fold::as_indices(positions, named);
  accepted.possible = round.possible;
  return step(round, accepted);
}

Status Replay::step(const fold::ClosedRound& round, const Accepted& accepted) {
  std::optional<exact::Delta> previous;
  if (!previous_.empty()) {
    // Our own bytes, whose digest was compared.
    previous = exact::Delta::parse(previous_, layout_.parameters(), down_, previous_base_).value();
  }
  Result<Bytes> update =
      close_round({run_->recipe, layout_.parameters(), round.base, round.score_seed}, accepted,
                  previous ? &*previous : nullptr, state_);
  if (!update)
    return fail(ErrorCode::corrupt, round_place(*run_, round) + ": " + update.error().message);
  Digest made = sha256(*update);
  HARAMBEE_CHECK(round.update.has_value());  // the fold takes no close without it
  if (made != round.update->digest) {
    return differs(round_place(*run_, round), "update blob", made, round.update->digest);
  }
  update_ = *std::move(update);
  if (run_->undone(next_)) return ok();
  previous_ = update_;
  previous_base_ = round.base;
  return ok();
}

Status Replay::compare(const fold::ClosedRound& round) const {
  Digest weights = format::weights_digest(layout_, state_.weights);
  if (weights != round.weights) {
    return differs(round_place(*run_, round), "weights digest", weights, round.weights);
  }
  Digest residual = exact::floats_digest(state_.residual);
  if (residual != round.residual) {
    return differs(round_place(*run_, round), "residual digest", residual, round.residual);
  }
  return ok();
}

Result<std::vector<float>> weights_at(
    const fold::RunState& run, std::int64_t round, const FetchBlob& blobs,
    const std::function<void(std::int64_t, std::int64_t)>& progress) {
  if (!run.start) return invalid("run " + run.name + " has not started");
  auto closed = static_cast<std::int64_t>(run.history.size());
  if (round < 0 || round > closed) {
    return invalid("run " + run.name + " has weights for rounds 0 to " + std::to_string(closed) +
                   ", not " + std::to_string(round));
  }
  Result<format::ModelLayout> layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return layout.error();
  Result<exact::Codec> down = codec_of(run.recipe.down);
  if (!down) return down.error();
  // A close of round r carries the weights at the opening of round r + 1.
  BlobRef nearest = run.start->checkpoint;
  std::int64_t at = 0;
  for (std::int64_t r = round; r > 0; --r) {
    const std::optional<BlobRef>& checkpoint =
        run.history[static_cast<std::size_t>(r - 1)].checkpoint;
    if (!checkpoint || taken_back(run, r - 1, round)) continue;
    nearest = *checkpoint;
    at = r;
    break;
  }
  Result<std::vector<float>> weights = load_weights(*layout, nearest, blobs);
  if (!weights) return weights.error();
  std::int64_t first = at;
  for (; at < round; ++at) {
    if (progress) progress(at - first, round - first);
    const fold::ClosedRound& closed_round = run.history[static_cast<std::size_t>(at)];
    if (!closed_round.update || taken_back(run, at, round)) continue;
    Result<Content> content = blobs(*closed_round.update);
    if (!content) return wrap(content.error(), round_place(run, closed_round));
    Result<exact::Delta> update =
        exact::Delta::parse(content->bytes(), layout->parameters(), *down, closed_round.base);
    if (!update) {
      return fail(ErrorCode::corrupt,
                  round_place(run, closed_round) + ": update: " + update.error().message);
    }
    exact::apply_update(*update, run.recipe.outer_lr, *weights);
  }
  const Digest& told = round == 0 ? run.start->checkpoint.digest
                                  : run.history[static_cast<std::size_t>(round - 1)].weights;
  Digest made = format::weights_digest(*layout, *weights);
  if (made != told) {
    return fail(ErrorCode::corrupt, "run " + run.name + " round " + std::to_string(round) +
                                        ": the updates lead to weights " + made.hex() +
                                        ", the log says " + told.hex());
  }
  return weights;
}

}  // namespace harambee::node

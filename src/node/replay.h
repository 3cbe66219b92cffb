// Replays a run's weights from the log and the blobs, bit for bit: start checkpoint, then for every
// closed round the accepted contributions through exact::close_round, and compares update blob,
// weights and residual with what the close record says (spec/outer-step.md).
// Memory: weights, residual, and the round's contributions as mapped files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "exact/codec.h"
#include "exact/outer_step.h"
#include "fold/state.h"
#include "format/model.h"
#include "node/log_source.h"
#include "node/round_close.h"
#include "record/blob_ref.h"

namespace harambee::node {

// The bytes of a blob, their digest and size checked. corrupt: the bytes are others.
using FetchBlob = std::function<Result<Content>(const BlobRef&)>;
// From a source whose bytes are not believed.
[[nodiscard]] FetchBlob checked_blobs(LogSource& source);
// "blobs/ab/ab…": how a blob is named in faults.
[[nodiscard]] std::string blob_place(const Digest& digest);

class Replay {
 public:
  // At the opening of round 0: the start record's checkpoint. Borrows the run.
  // corrupt: the checkpoint is not a model of the recipe. invalid: the run has not started.
  [[nodiscard]] static Result<Replay> begin(const fold::RunState& run, FetchBlob blobs);

  [[nodiscard]] bool done() const { return next_ == run_->history.size(); }
  // The round whose base weights() are: the next one to be replayed.
  [[nodiscard]] std::int64_t round() const { return static_cast<std::int64_t>(next_); }
  [[nodiscard]] const std::vector<float>& weights() const { return state_.weights; }
  // What the way down still owes then: the coordinator's other half of the exact state.
  [[nodiscard]] const std::vector<float>& residual() const { return state_.residual; }
  [[nodiscard]] const Digest& digest() const { return digest_; }
  // The update blob of the round that was replayed last; empty if it accepted nothing.
  [[nodiscard]] const Bytes& update() const { return update_; }
  [[nodiscard]] const format::ModelLayout& layout() const { return layout_; }

  // Computes the next closed round. corrupt: something is not what the log says; the message names
  // the round, the record and the blob, and the replay cannot go on. Requires !done().
  [[nodiscard]] Status next();

 private:
  Replay(const fold::RunState& run, FetchBlob blobs, format::ModelLayout layout)
      : run_(&run), blobs_(std::move(blobs)), layout_(std::move(layout)) {}
  [[nodiscard]] Status compute(const fold::ClosedRound& round);
  [[nodiscard]] Status step(const fold::ClosedRound& round, const Accepted& accepted);
  [[nodiscard]] Status compare(const fold::ClosedRound& round) const;

  const fold::RunState* run_;
  FetchBlob blobs_;
  format::ModelLayout layout_;
  exact::Codec up_;
  exact::Codec down_;
  exact::RunNumbers state_;
  Digest digest_;
  std::optional<exact::RunNumbers> before_;  // before the newest round, if a void takes it back
  Bytes update_;
  Bytes previous_;  // the newest update that a replayed round made; empty if none did
  Digest previous_base_;
  std::size_t next_ = 0;
};

// The weights at the opening of `round` (0 … closed rounds; the last: the newest weights) by the
// shortest way: the nearest checkpoint before it and the updates after that. Digest checked.
// invalid: no such round yet. progress(done, total) may be empty.
[[nodiscard]] Result<std::vector<float>> weights_at(
    const fold::RunState& run, std::int64_t round, const FetchBlob& blobs,
    const std::function<void(std::int64_t, std::int64_t)>& progress);

}  // namespace harambee::node

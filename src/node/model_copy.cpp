#include "node/model_copy.h"

#include <fmt/format.h>

#include <set>
#include <system_error>
#include <utility>

#include "exact/outer_step.h"
#include "node/round_math.h"
#include "store/file.h"

namespace harambee::node {

namespace fs = std::filesystem;

Digest weights_before(const fold::RunState& run, std::size_t round) {
  HARAMBEE_CHECK(run.start && round <= run.history.size());
  return round == 0 ? run.start->checkpoint.digest : run.history[round - 1].weights;
}

ModelCopy::ModelCopy(fs::path dir, HubBlobs& blobs) : dir_(std::move(dir)), blobs_(blobs) {}

fs::path ModelCopy::path(const Digest& weights) const {
  return dir_ / (weights.hex() + ".safetensors");
}

bool ModelCopy::has(const Digest& weights) const { return fs::exists(path(weights)); }

Result<std::vector<float>> ModelCopy::load(const format::ModelLayout& layout,
                                           const Digest& weights) const {
  const auto mapped = store::MappedFile::open(path(weights).string());
  if (!mapped) return mapped.error();
  if (sha256(mapped->bytes()) != weights) {
    return fail(ErrorCode::corrupt, path(weights).string() + " is not what its name says");
  }
  const auto flat = format::flat_weights(layout, mapped->bytes());
  if (!flat) return flat.error();
  return std::vector<float>(flat->begin(), flat->end());
}

Status ModelCopy::put(const format::ModelLayout& layout, const Digest& weights,
                      const std::vector<float>& parameters) {
  if (has(weights)) return ok();
  return store::write_file_atomic(path(weights).string(), format::weights_file(layout, parameters));
}

// The round whose base is here, or can be had as a checkpoint, from which the fewest bytes lead to
// the current weights.
Result<std::size_t> ModelCopy::nearest(const fold::RunState& run) const {
  const std::size_t now = run.history.size();
  const auto newest = static_cast<std::size_t>(run.checkpoint_round);
  std::uint64_t updates_bytes = 0;  // from `round` to now
  for (std::size_t round = now;; --round) {
    // Weights that a void left lead nowhere.
    const bool left = round < now && run.history[round].voided;
    if (!left && has(weights_before(run, round))) return round;
    if (round <= newest && run.checkpoint && updates_bytes > run.checkpoint->size) return newest;
    if (round == 0) return newest;
    const auto& update = run.history[round - 1].update;
    if (update && !run.undone(round - 1)) updates_bytes += update->size;
  }
}

Status ModelCopy::take_checkpoint(const fold::RunState& run, const BlobRef& checkpoint) {
  const auto layout = format::ModelLayout::make(run.recipe.model);
  if (!layout) return layout.error();
  if (checkpoint.size != layout->file_bytes()) {
    return fail(ErrorCode::corrupt, "the checkpoint on the log is no file of this model");
  }
  const auto file = blobs_.fetch(checkpoint);
  if (!file) return file.error();
  const auto bytes = store::read_file(file->string(), layout->file_bytes());
  if (!bytes) return bytes.error();
  if (const auto flat = format::flat_weights(*layout, *bytes); !flat) {
    return fail(ErrorCode::corrupt,
                "the checkpoint on the log is no file of this model: " + flat.error().message);
  }
  if (Status kept = store::write_file_atomic(path(checkpoint.digest).string(), *bytes); !kept) {
    return kept;
  }
  return blobs_.remove(checkpoint.digest);  // one copy is enough
}

Result<fs::path> ModelCopy::catch_up(const fold::RunState& run) {
  HARAMBEE_CHECK(run.start && run.checkpoint);
  if (has(run.weights)) return path(run.weights);
  const auto first = nearest(run);
  if (!first) return first.error();
  if (!has(weights_before(run, *first))) {
    if (Status taken = take_checkpoint(run, *run.checkpoint); !taken) return taken.error();
  }
  const auto layout = format::ModelLayout::make(run.recipe.model);
  const auto codec = codec_of(run.recipe.down);
  if (!layout) return layout.error();
  if (!codec) return codec.error();
  auto parameters = load(*layout, weights_before(run, *first));
  if (!parameters) return parameters.error();
  for (std::size_t round = *first; round < run.history.size(); ++round) {
    const fold::ClosedRound& closed = run.history[round];
    if (!closed.update || run.undone(round)) continue;
    const auto blob = blobs_.fetch_bytes(*closed.update);
    if (!blob) return wrap(blob.error(), fmt::format("the update of round {}", round));
    const auto update =
        exact::Delta::parse(*blob, layout->parameters(), *codec, weights_before(run, round));
    if (!update) {
      return fail(ErrorCode::corrupt, fmt::format("the update of round {} is malformed: {}", round,
                                                  update.error().message));
    }
    exact::apply_update(*update, run.recipe.outer_lr, *parameters);
    const Digest reached = format::weights_digest(*layout, *parameters);
    if (reached != closed.weights) {
      return fail(ErrorCode::corrupt,
                  fmt::format("round {} does not lead to the weights on the log: {} instead of {}",
                              round, reached.hex(), closed.weights.hex()));
    }
  }
  if (Status kept = put(*layout, run.weights, *parameters); !kept) return kept.error();
  for (std::size_t round = *first; round < run.history.size(); ++round) {
    if (const auto& update = run.history[round].update) {
      static_cast<void>(blobs_.remove(update->digest));
    }
  }
  trim(run);
  return path(run.weights);
}

void ModelCopy::trim(const fold::RunState& run) {
  std::set<std::string> keep;
  for (std::size_t round = run.history.size() + 1; round-- > 0 && keep.size() < kKept;) {
    keep.insert(path(weights_before(run, round)).filename().string());
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir_, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors") && !keep.contains(name)) fs::remove(entry.path(), error);
  }
}

}  // namespace harambee::node

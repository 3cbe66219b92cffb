#include "node/rescore.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "exact/aggregate.h"
#include "fold/assignment.h"
#include "node/own_rows.h"
#include "node/round_math.h"
#include "store/file.h"

namespace harambee::node {
namespace {

struct Scored {
  const fold::ClosedContribution* contribution = nullptr;
  const fold::ScoreEntry* entry = nullptr;
  Content blob;
  exact::Delta delta;
};

std::string differs(const std::string& what, std::int64_t made, std::int64_t told) {
  return what + " is " + std::to_string(made) + " nano-nats, the record says " +
         std::to_string(told);
}

Result<std::vector<Scored>> deltas_of(const fold::ClosedRound& round, const fold::Score& score,
                                      const Replay& replay, const exact::Codec& codec,
                                      const FetchBlob& blobs) {
  std::vector<Scored> scored;
  HARAMBEE_CHECK(score.entries.size() == round.contributions.size());  // the fold took the score
  for (std::size_t i = 0; i < score.entries.size(); ++i) {
    const fold::ScoreEntry& entry = score.entries[i];
    const fold::ClosedContribution& one = round.contributions[i];
    if (entry.verdict != fold::kVerdictOk) continue;
    Result<Content> blob = blobs(one.delta);
    if (!blob) return blob.error();
    Result<exact::Delta> delta = exact::Delta::parse(blob->bytes(), replay.layout().parameters(),
                                                     codec, {score.base, one.author});
    if (!delta) return wrap(delta.error(), blob_place(one.delta.digest));
    scored.push_back({&one, &entry, *std::move(blob), *std::move(delta)});
  }
  return scored;
}

// None if the entry does not speak of it: a validator need not have had the shards.
Result<std::optional<OwnTest>> redo_own(const fold::RunState& run, const fold::ClosedRound& round,
                                        const fold::Score& score, const KeyId& validator,
                                        const HeldOut& held_out, TrainerProcess& trainer,
                                        const std::string& base, const Scored& one) {
  if (!one.entry->own_nanos) return std::optional<OwnTest>();
  std::optional<OwnPlaces> places = own_places(
      run, *held_out.data, {round.number, one.contribution->author, validator, score.seed});
  if (!places) return std::optional<OwnTest>();
  OwnTest redone;
  for (const format::Shard& shard : places->shards) {
    const auto& train = held_out.data->train;
    const auto at = std::ranges::find(train, shard.digest, &format::Shard::digest);
    redone.files.emplace_back(held_out.train_files[static_cast<std::size_t>(at - train.begin())]);
  }
  redone.offsets = std::move(places->offsets);
  Result<std::vector<std::int64_t>> without = trainer.evaluate(base, redone.files, redone.offsets);
  if (!without) return without.error();
  redone.without = *std::move(without);
  return std::optional(std::move(redone));
}

}  // namespace

Result<std::string> rescore(const fold::RunState& run, const fold::ClosedRound& round,
                            const KeyId& validator, const fold::Score& score, const Replay& replay,
                            const FetchBlob& blobs, const HeldOut& held_out,
                            TrainerProcess& trainer, const std::string& work_dir) {
  Result<exact::Codec> codec = codec_of(run.recipe.codec);
  if (!codec) return codec.error();
  Result<std::vector<Scored>> scored = deltas_of(round, score, replay, *codec, blobs);
  if (!scored) return scored.error();
  const fold::GateRule& gate = run.recipe.gate;
  std::uint64_t context = run.recipe.model.context;
  const auto each = static_cast<std::size_t>(gate.rows);
  const fold::Guarded guarded = run.guarded().empty() ? fold::Guarded::no : fold::Guarded::yes;
  std::vector<std::filesystem::path> files(held_out.files.begin(), held_out.files.end());
  std::string base = work_dir + "/score-base.safetensors";
  std::string tried = work_dir + "/score-tried.safetensors";
  Status written =
      store::write_file_atomic(base, format::weights_file(replay.layout(), replay.weights()));
  if (!written) return written.error();
  if (!run.recipe.needs_held_out_text()) return std::string();  // the replay has checked it all
  if (held_out.data->heldout_bytes() <= context) return std::string("there is no held-out text");
  if (score.loss_nanos) {
    auto report = trainer.evaluate(
        base, files,
        fold::row_offsets(fold::report_seed(run.id), 0, static_cast<std::uint64_t>(gate.report),
                          held_out.data->heldout_bytes(), context));
    if (!report) return report.error();
    if (std::int64_t loss = mean_nanos(*report); loss != *score.loss_nanos) {
      return differs("the reported loss", loss, *score.loss_nanos);
    }
  }
  if (scored->empty() || !run.recipe.gated()) return std::string();
  const std::vector<std::uint64_t> rows =
      fold::score_rows(score.seed, each, *held_out.data, context, guarded);
  auto without = trainer.evaluate(base, files, rows);
  if (!without) return without.error();
  std::vector<exact::SquaredNorm> norms;
  for (const Scored& one : *scored) norms.push_back(one.delta.squared_norm());
  exact::SquaredNorm median = exact::median(norms);
  for (const Scored& one : *scored) {
    Result<std::optional<OwnTest>> own =
        redo_own(run, round, score, validator, held_out, trainer, base, one);
    if (!own) return own.error();
    std::vector<float> weights = replay.weights();
    exact::add_scaled(one.delta, gate_factor(gate.step, one.delta.squared_norm(), median), weights);
    written = store::write_file_atomic(tried, format::weights_file(replay.layout(), weights));
    if (!written) return written.error();
    std::vector<std::filesystem::path> all_files = files;
    std::vector<std::uint64_t> all_rows = rows;
    if (*own) (*own)->follow(held_out.data->heldout_bytes(), all_files, all_rows);
    auto with = trainer.evaluate(tried, all_files, all_rows);
    // What a trainer refuses to evaluate counts as the worst gain (validator.cpp).
    bool refused = !with && with.error().code == ErrorCode::refused;
    if (!with && !refused) return with.error();
    const Gains gains = refused ? worst_gains(run.guarded().size())
                                : gains_of(*without, std::span(*with).first(rows.size()), each);
    const std::string whose = " of contribution " + one.contribution->place.id.hex();
    if (gains.all_nanos != one.entry->gain_nanos) {
      return differs("the gain" + whose, gains.all_nanos, one.entry->gain_nanos);
    }
    for (std::size_t k = 0; k < gains.domains_nanos.size(); ++k) {
      if (gains.domains_nanos[k] == one.entry->domain_gains[k]) continue;
      return differs("the gain on domain " + run.guarded()[k] + whose, gains.domains_nanos[k],
                     one.entry->domain_gains[k]);
    }
    if (!*own || refused) continue;
    const std::int64_t made = own_nanos((*own)->without, std::span(*with).subspan(rows.size()));
    if (made != *one.entry->own_nanos) {
      return differs("the own-data gain" + whose, made, *one.entry->own_nanos);
    }
  }
  return std::string();
}

}  // namespace harambee::node

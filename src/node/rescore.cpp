#include "node/rescore.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "exact/aggregate.h"
#include "fold/assignment.h"
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

}  // namespace

Result<std::string> rescore(const fold::RunState& run, const fold::ClosedRound& round,
                            const fold::Score& score, const Replay& replay, const FetchBlob& blobs,
                            const HeldOut& held_out, TrainerProcess& trainer,
                            const std::string& work_dir) {
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
  auto report = trainer.evaluate(
      base, files,
      fold::row_offsets(fold::report_seed(run.id), 0, static_cast<std::uint64_t>(gate.report),
                        held_out.data->heldout_bytes(), context));
  if (!report) return report.error();
  if (std::int64_t loss = mean_nanos(*report); loss != score.loss_nanos) {
    return differs("the reported loss", loss, score.loss_nanos);
  }
  if (scored->empty()) return std::string();
  const std::vector<std::uint64_t> rows =
      fold::score_rows(score.seed, each, *held_out.data, context, guarded);
  auto without = trainer.evaluate(base, files, rows);
  if (!without) return without.error();
  std::vector<exact::SquaredNorm> norms;
  for (const Scored& one : *scored) norms.push_back(one.delta.squared_norm());
  exact::SquaredNorm median = exact::median(norms);
  for (const Scored& one : *scored) {
    std::vector<float> weights = replay.weights();
    exact::add_scaled(one.delta, gate_factor(gate.step, one.delta.squared_norm(), median), weights);
    written = store::write_file_atomic(tried, format::weights_file(replay.layout(), weights));
    if (!written) return written.error();
    auto with = trainer.evaluate(tried, files, rows);
    // What a trainer refuses to evaluate counts as the worst gain (validator.cpp).
    bool refused = !with && with.error().code == ErrorCode::refused;
    if (!with && !refused) return with.error();
    const Gains gains =
        refused ? worst_gains(run.guarded().size()) : gains_of(*without, *with, each);
    const std::string whose = " of contribution " + one.contribution->place.id.hex();
    if (gains.all_nanos != one.entry->gain_nanos) {
      return differs("the gain" + whose, gains.all_nanos, one.entry->gain_nanos);
    }
    for (std::size_t k = 0; k < gains.domains_nanos.size(); ++k) {
      if (gains.domains_nanos[k] == one.entry->domain_gains[k]) continue;
      return differs("the gain on domain " + run.guarded()[k] + whose, gains.domains_nanos[k],
                     one.entry->domain_gains[k]);
    }
  }
  return std::string();
}

}  // namespace harambee::node

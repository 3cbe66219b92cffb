#include "node/verify_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "format/model.h"
#include "store/file.h"

namespace harambee::node {

std::map<std::int64_t, std::vector<const LoggedSample*>> choose_samples(
    const std::vector<LoggedSample>& all, const Digest& run, std::uint64_t count,
    const Digest& seed) {
  std::vector<const LoggedSample*> ours;
  for (const LoggedSample& one : all) {
    if (one.act.run == run && one.act.numeric_class == fold::kExactClass) ours.push_back(&one);
  }
  std::reverse(ours.begin(), ours.end());  // the newest stays in front
  Rng rng(seed);
  const std::uint64_t chosen = std::min<std::uint64_t>(count, ours.size());
  for (std::uint64_t i = 1; i < chosen; ++i) {
    std::swap(ours[i], ours[i + rng.below(ours.size() - i)]);
  }
  std::map<std::int64_t, std::vector<const LoggedSample*>> by_round;
  for (std::uint64_t i = 0; i < chosen; ++i) by_round[ours[i]->act.round].push_back(ours[i]);
  return by_round;
}

Result<std::string> resample(const fold::Sample& sample, const Replay& replay,
                             TrainerProcess& trainer, const std::string& work_dir) {
  const std::string file = work_dir + "/sample.safetensors";
  const Status written =
      store::write_file_atomic(file, format::weights_file(replay.layout(), replay.weights()));
  if (!written) return written.error();
  for (std::size_t i = 0; i < sample.texts.size(); ++i) {
    const fold::SampleText& one = sample.texts[i];
    const auto text =
        trainer.generate(file, one.prompt, sample.bytes, sample.temperature, sample.seed);
    if (!text) return text.error();
    if (*text == one.text) continue;
    const auto at = std::ranges::mismatch(*text, one.text).in1 - text->begin();
    return fmt::format("text {}: the model writes something else from byte {} on", i + 1, at);
  }
  return std::string();
}

}  // namespace harambee::node

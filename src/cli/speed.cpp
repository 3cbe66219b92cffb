#include "cli/speed.h"

#include <algorithm>
#include <cstdint>

#include "base/rng.h"
#include "cli/demo_process.h"
#include "node/trainer_process.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

constexpr std::int64_t kProbeMs = 2'000;
constexpr std::size_t kNoiseBytes = 1 << 18;

}  // namespace

Status write_noise(const std::filesystem::path& file) {
  Rng rng(sha256(view("harambee noise v1\n")));
  Bytes noise(kNoiseBytes);
  for (auto& byte : noise) byte = static_cast<std::uint8_t>(rng.next());
  return store::write_file_atomic(file.string(), noise);
}

Result<double> measure_tokens_per_second(const SpeedProbe& probe, const fold::Recipe& recipe) {
  node::TrainerOptions options;
  options.argv = probe.trainer;
  options.dir = probe.dir;
  options.threads = static_cast<int>(probe.threads);
  node::TrainerProcess trainer(options, recipe.model);
  const auto stopped = [&probe] { return probe.stop != nullptr && probe.stop->load(); };
  const std::filesystem::path first = probe.dir / "first.safetensors";
  if (const Status made = trainer.init(recipe.seed, first); !made) return made.error();
  node::TrainRequest request;
  request.base = first;
  request.shards = {probe.shard};
  request.seed = recipe.seed;
  request.inner = recipe.inner;
  request.inner.steps = request.total_steps = 10'000;
  request.out = probe.dir / "out.safetensors";
  request.state_out = probe.dir / "state";
  const std::int64_t began = steady_now_ms();
  std::int64_t last_ms = 0;
  std::vector<std::int64_t> steps_ms;  // the first one warms caches up and is not counted
  auto done = trainer.train(request, [&](const node::TrainProgress&) {
    const std::int64_t now = steady_now_ms();
    if (last_ms > 0) steps_ms.push_back(now - last_ms);
    last_ms = now;
    return !stopped() && (now - began < kProbeMs || steps_ms.size() < 3);
  });
  if (!done && done.error().code != ErrorCode::cancelled) return done.error();
  if (stopped() || steps_ms.size() < 3)
    return fail(ErrorCode::cancelled, "stopped while measuring the speed");
  // The median: another program's short burst must not count.
  const auto middle = steps_ms.begin() + std::ssize(steps_ms) / 2;
  std::nth_element(steps_ms.begin(), middle, steps_ms.end());
  const auto tokens = static_cast<double>(recipe.inner.batch * recipe.model.context);
  return 1000.0 * tokens / static_cast<double>(std::max<std::int64_t>(1, *middle));
}

}  // namespace harambee::cli

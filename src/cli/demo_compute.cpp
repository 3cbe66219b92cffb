#include "cli/demo_compute.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "cli/speed.h"
#include "fold/assignment.h"
#include "node/round_math.h"
#include "node/trainer_process.h"
#include "store/file.h"

namespace harambee::cli {
namespace fs = std::filesystem;
namespace {

node::TrainerProcess make_trainer(const ComputeOptions& options, const std::string& name,
                                  const format::ModelConfig& model, unsigned threads) {
  node::TrainerOptions trainer;
  trainer.argv = options.trainer;
  trainer.dir = options.dir / name;
  trainer.threads = static_cast<int>(threads);
  return node::TrainerProcess(trainer, model);
}

bool stopped(const ComputeOptions& options) {
  return options.stop != nullptr && options.stop->load();
}

Digest segment_seed(const Digest& run, const std::string& name, std::int64_t segment) {
  Bytes tail;
  put_u64be(tail, static_cast<std::uint64_t>(segment));
  return sha256({view("harambee demo baseline v1\n"), run.view(), view(name), tail});
}

// What the training thread tells the drawing thread.
struct Board {
  std::mutex mutex;
  std::vector<BaselineNews> news;
  std::vector<BaselineProgress> progress;
  bool changed = false;  // a segment was finished
};

struct Seat {
  const Baseline& baseline;
  std::size_t index;
};

fs::path segment_file(const fs::path& dir, std::int64_t segment, const char* suffix) {
  return dir / fmt::format("segment-{:03}{}", segment, suffix);
}

// On the first `rows` of the run's report rows.
Result<std::int64_t> mean_loss(node::TrainerProcess& trainer, const fold::Recipe& recipe,
                               const Digest& run, const fs::path& weights,
                               const std::vector<fs::path>& heldout, std::uint64_t heldout_bytes,
                               std::int64_t rows) {
  const auto offsets =
      fold::row_offsets(fold::report_seed(run), 0, static_cast<std::uint64_t>(rows), heldout_bytes,
                        recipe.model.context);
  auto nanos = trainer.evaluate(weights, heldout, offsets);
  if (!nanos) return nanos.error();
  return node::mean_nanos(*nanos);
}

// One segment: from the file of the one before to its own.
Status train_segment(const ComputeOptions& options, node::TrainerProcess& trainer,
                     const fold::Recipe& recipe, const Digest& run, const BaselineFiles& files,
                     const Seat& seat, std::int64_t steps, Board& board) {
  const Baseline& baseline = seat.baseline;
  const fs::path dir = options.dir / baseline.name;
  BaselineProgress at;
  {
    const std::scoped_lock lock(board.mutex);
    at = board.progress[seat.index];
  }
  node::TrainRequest request;
  request.base =
      at.segments_done == 0 ? files.start : segment_file(dir, at.segments_done, ".safetensors");
  if (at.segments_done > 0) request.state = segment_file(dir, at.segments_done, ".state");
  request.shards = files.shards;
  request.seed = segment_seed(run, baseline.name, at.segments_done);
  request.first_step = at.steps_done;
  request.total_steps = baseline.inner.steps;
  request.inner = baseline.inner;
  request.inner.steps = steps;
  request.out = segment_file(dir, at.segments_done + 1, ".safetensors");
  request.state_out = segment_file(dir, at.segments_done + 1, ".state");
  auto done = trainer.train(request, [&](const node::TrainProgress& p) {
    const std::scoped_lock lock(board.mutex);
    BaselineNews& news = board.news[seat.index];
    news.step = at.steps_done + p.step;
    news.loss_nanos = p.loss_nanos;
    news.tokens_per_second = p.tokens_per_second;
    return !stopped(options);
  });
  if (!done) return wrap(done.error(), "baseline " + baseline.name);
  auto loss = mean_loss(trainer, recipe, run, request.out, files.heldout, files.heldout_bytes,
                        recipe.gate.report);
  if (!loss) return wrap(loss.error(), "held-out loss, " + baseline.name);
  at.losses_nanos.push_back(*loss);
  const std::scoped_lock lock(board.mutex);
  board.progress[seat.index] = {at.steps_done + steps, at.segments_done + 1, at.losses_nanos};
  board.changed = true;
  return ok();
}

Status train_one(const ComputeOptions& options, const fold::Recipe& recipe, const Digest& run,
                 const BaselineFiles& files, const Seat& seat, Board& board) {
  const Baseline& baseline = seat.baseline;
  const fs::path dir = options.dir / baseline.name;
  if (const Status made = store::make_folders(dir.string()); !made) return made;
  auto trainer = make_trainer(options, baseline.name, recipe.model, baseline.threads);
  const std::int64_t length = baseline.segment_steps();
  for (;;) {
    BaselineProgress at;
    {
      const std::scoped_lock lock(board.mutex);
      at = board.progress[seat.index];
      board.news[seat.index].step = at.steps_done;
    }
    if (at.steps_done >= baseline.inner.steps) break;
    const std::int64_t steps = std::min(length, baseline.inner.steps - at.steps_done);
    if (const Status done = train_segment(options, trainer, recipe, run, files, seat, steps, board);
        !done) {
      return done;
    }
    std::error_code ignored;  // the segment before the last is no longer needed
    fs::remove(segment_file(dir, at.segments_done - 1, ".safetensors"), ignored);
    fs::remove(segment_file(dir, at.segments_done - 1, ".state"), ignored);
  }
  std::error_code failed;
  const fs::path last = segment_file(dir, board.progress[seat.index].segments_done, ".safetensors");
  fs::copy_file(last, baseline_weights(options.dir, baseline.name),
                fs::copy_options::overwrite_existing, failed);
  if (failed) return fail(ErrorCode::io, fmt::format("{}: {}", last.string(), failed.message()));
  return ok();
}

}  // namespace

Result<Speed> measure_speed(const ComputeOptions& options, unsigned volunteers, unsigned cores) {
  fold::Recipe recipe = fold::default_recipe();
  recipe.inner.batch = 4;
  const fs::path shard = options.dir / "probe.txt";
  if (const Status wrote = write_noise(shard); !wrote) return wrote.error();
  const unsigned at_once = std::max(1u, std::min(cores, volunteers));
  std::vector<Result<double>> speeds(at_once, Result<double>(0.0));
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < at_once; ++i) {
      threads.emplace_back([&, i] {
        speeds[i] = measure_tokens_per_second({.trainer = options.trainer,
                                               .dir = options.dir / fmt::format("probe-{}", i + 1),
                                               .shard = shard,
                                               .threads = 1,
                                               .stop = options.stop},
                                              recipe);
      });
    }
  }
  Speed speed{.cores = cores, .tokens_per_second = 0};
  for (const auto& one : speeds) {
    if (!one) return one.error();
    speed.tokens_per_second += *one / at_once;
  }
  return speed;
}

std::vector<Baseline> make_baselines(const fold::Recipe& recipe, std::int64_t tokens,
                                     unsigned cores) {
  const std::int64_t context = recipe.model.context;
  const unsigned threads = std::max(1u, cores / 2);
  Baseline single{.name = "single", .inner = recipe.inner, .threads = threads};
  single.inner.steps = std::max<std::int64_t>(1, tokens / (recipe.inner.batch * context));
  Baseline parallel{.name = "data-parallel", .inner = recipe.inner, .threads = threads};
  const std::int64_t per_step = recipe.total_steps() * context;
  parallel.inner.batch = std::max<std::int64_t>(1, (tokens + per_step / 2) / per_step);
  parallel.inner.steps = std::max<std::int64_t>(1, tokens / (parallel.inner.batch * context));
  return {single, parallel};
}

std::int64_t Baseline::segment_steps() const {
  return std::max<std::int64_t>(1, (inner.steps + segments - 1) / segments);
}

std::vector<fold::BaselinePoint> baseline_points(const Baseline& baseline,
                                                 const BaselineProgress& progress,
                                                 std::int64_t context) {
  std::vector<fold::BaselinePoint> points;
  for (const std::int64_t loss : progress.losses_nanos) {
    const auto segments = static_cast<std::int64_t>(points.size()) + 1;
    const std::int64_t steps = std::min(segments * baseline.segment_steps(), baseline.inner.steps);
    points.push_back({steps * baseline.inner.batch * context, loss});
  }
  return points;
}

fs::path baseline_weights(const fs::path& dir, const std::string& name) {
  return dir / (name + ".safetensors");
}

Status train_baselines(const ComputeOptions& options, const fold::Recipe& recipe, const Digest& run,
                       const std::vector<Baseline>& baselines, const BaselineFiles& files,
                       std::map<std::string, BaselineProgress>& progress,
                       const std::function<void()>& keep,
                       const std::function<void(const std::vector<BaselineNews>&)>& on_tick) {
  Board board;
  for (const Baseline& baseline : baselines) {
    board.news.push_back({.name = baseline.name, .steps = baseline.inner.steps});
    board.progress.push_back(progress[baseline.name]);
  }
  std::vector<Status> results(baselines.size(), ok());
  std::atomic<std::size_t> running{baselines.size()};
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < baselines.size(); ++i) {
    threads.emplace_back([&, i] {
      results[i] = train_one(options, recipe, run, files, {baselines[i], i}, board);
      --running;
    });
  }
  for (bool last = false; !last;) {
    last = running.load() == 0;  // one more look after the end
    std::vector<BaselineNews> news;
    bool changed = false;
    {
      const std::scoped_lock lock(board.mutex);
      news = board.news;
      std::swap(changed, board.changed);
      for (std::size_t i = 0; i < baselines.size(); ++i) {
        progress[baselines[i].name] = board.progress[i];
      }
    }
    if (changed) keep();
    on_tick(news);
    if (!last) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (const Status& result : results) {
    if (!result) return result;
  }
  return ok();
}

Result<std::int64_t> held_out_loss(const ComputeOptions& options, const fold::Recipe& recipe,
                                   const Digest& run, const fs::path& weights,
                                   const std::vector<fs::path>& heldout,
                                   std::uint64_t heldout_bytes, std::int64_t rows,
                                   unsigned threads) {
  auto trainer = make_trainer(options, "evaluate", recipe.model, threads);
  return mean_loss(trainer, recipe, run, weights, heldout, heldout_bytes, rows);
}

}  // namespace harambee::cli

#include "cli/demo_ending.h"

#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "cli/demo_compute.h"
#include "format/data.h"
#include "store/file.h"

namespace harambee::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kLossRows = 256;  // of the report rows: enough to tell 1 % apart
constexpr int kSampleBytes = 320;

fs::path hub_blob(const DemoPaths& paths, const Digest& digest) {
  const std::string name = digest.hex();
  return paths.hub() / "blobs" / name.substr(0, 2) / name;
}

struct Data {
  std::vector<fs::path> train;
  std::vector<fs::path> heldout;
  std::uint64_t heldout_bytes = 0;
};

// The hub's own files: this is the machine it runs on, and each is named by its digest.
Result<Data> find_data(const DemoPaths& paths, const fold::RunState& run) {
  auto bytes = store::read_file(hub_blob(paths, run.data.digest).string(), std::uint64_t{16} << 20);
  if (!bytes) return bytes.error();
  auto manifest = format::parse_data_manifest(*bytes);
  if (!manifest) return manifest.error();
  Data data;
  for (const auto& shard : manifest->train) data.train.push_back(hub_blob(paths, shard.digest));
  for (const auto& file : manifest->heldout) data.heldout.push_back(hub_blob(paths, file.digest));
  data.heldout_bytes = manifest->heldout_bytes();
  return data;
}

// Another SIMD level than the volunteers' own, which is the best of this processor. Nothing where
// the only other one is the scalar reference: it gives the same bits sixty times as slowly
// (`./dev test` compares them).
std::vector<std::string> other_simd() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.find("avx512f") != std::string::npos) return {"--simd", "avx2"};
  }
  return {};
}

// With the tokens that the volunteers' accepted work has used.
std::vector<Baseline> baselines_for(const World& world, const fold::RunState& run) {
  std::int64_t tokens = 0;
  for (const fold::Member& member : run.members) tokens += member.tokens;
  return make_baselines(run.recipe, tokens, world.state.speed.cores);
}

std::string curve_json(const std::vector<fold::BaselinePoint>& points) {
  nlohmann::json list = nlohmann::json::array();
  for (const fold::BaselinePoint& point : points) {
    list.push_back({{"tokens", point.at}, {"loss", static_cast<double>(point.loss_nanos) / 1e9}});
  }
  return list.dump(1) + "\n";
}

ComputeOptions compute_options(World& world) { return {{}, world.paths.compute(), &stop_flag()}; }

}  // namespace

Status Ending::pull() {
  auto pulled = world_.run_verb("pull", {"pull", world_.run_url(), world_.paths.model().string()});
  return pulled ? ok() : Status(pulled.error());
}

Status Ending::train_baselines(const fold::RunState& run) {
  auto data = find_data(world_.paths, run);
  if (!data) return data.error();
  const auto baselines = baselines_for(world_, run);
  const BaselineFiles files{hub_blob(world_.paths, run.start->checkpoint.digest), data->train,
                            data->heldout, data->heldout_bytes};
  return cli::train_baselines(
      compute_options(world_), run.recipe, run.id, baselines, files, world_.state.baselines,
      [&] { (void)world_.save(); },
      [&](const std::vector<BaselineNews>& news) {
        (void)world_.pump(0);
        std::vector<std::string> lines = {"The same tokens without a swarm, to compare with:"};
        std::string plain = "comparing:";
        for (const BaselineNews& one : news) {
          const std::string text =
              fmt::format("{:<14} step {:>5}/{}  loss {}  {:>6} tok/s", one.name, one.step,
                          one.steps, one.loss_nanos > 0 ? human_nats(one.loss_nanos) : "-",
                          human_count(static_cast<std::uint64_t>(one.tokens_per_second)));
          lines.push_back("  " + text);
          plain += "  " + text;
        }
        if (world_.ui.terminal()) {
          world_.ui.block(lines);
        } else {
          world_.ui.progress(plain, 10'000);
        }
      });
}

// On the record, so that the dashboard shows them beside the run.
Status Ending::log_baselines(const fold::RunState& run) {
  const std::map<std::string, std::string> labels = {{"single", "one machine alone"},
                                                     {"data-parallel", "data-parallel training"}};
  for (const Baseline& baseline : baselines_for(world_, run)) {
    auto points =
        baseline_points(baseline, world_.state.baselines[baseline.name], run.recipe.model.context);
    if (!run.history.empty() && run.history[0].loss_nanos) {
      points.insert(points.begin(),
                    {0, *run.history[0].loss_nanos});  // they begin with its weights
    }
    const fs::path file = world_.paths.compute() / (baseline.name + ".json");
    const std::string text = curve_json(points);
    if (const Status wrote = store::write_file_atomic(file.string(), view(text)); !wrote) {
      return wrote;
    }
    auto said = world_.run_verb(
        "baseline", {"baseline", world_.run_url(), file.string(), "--label",
                     labels.at(baseline.name), "--dir", world_.paths.role("maintainer").string()});
    if (!said) return said.error();
  }
  return ok();
}

Status Ending::measure_losses(const fold::RunState& run) {
  auto data = find_data(world_.paths, run);
  if (!data) return data.error();
  const fs::path compute = world_.paths.compute();
  const std::vector<std::pair<std::string, fs::path>> all = {
      {"start", hub_blob(world_.paths, run.start->checkpoint.digest)},
      {"end", world_.paths.model() / "model.safetensors"},
      {"single", baseline_weights(compute, "single")},
      {"data-parallel", baseline_weights(compute, "data-parallel")}};
  for (const auto& [name, weights] : all) {
    if (world_.state.losses_nanos.count(name) > 0) continue;
    if (const Status pumped = world_.pump(0); !pumped) return pumped;
    world_.ui.progress(fmt::format("measuring the held-out loss: {}", name), 0);
    auto loss = held_out_loss(compute_options(world_), run.recipe, run.id, weights, data->heldout,
                              data->heldout_bytes, kLossRows, world_.state.speed.cores);
    if (!loss) return wrap(loss.error(), "held-out loss, " + name);
    world_.state.losses_nanos[name] = *loss;
    if (const Status saved = world_.save(); !saved) return saved;
  }
  return ok();
}

Status Ending::verify() {
  std::vector<std::string> arguments = {
      "verify",    world_.run_url(),
      "--retrain", fmt::format("{}", world_.plan.retrain),
      "--samples", "2",
      "--threads", fmt::format("{}", std::max(2u, world_.state.speed.cores)),
      "--dir",     world_.paths.verify().string()};
  for (std::string& argument : other_simd()) arguments.push_back(std::move(argument));
  auto report = world_.run_verb(
      "verify", arguments,
      [&](const std::string&, const nlohmann::json& event) {
        if (event.value("event", "") != "progress") return;
        world_.ui.progress(
            fmt::format("verifying: {} {}/{} {}", event.value("stage", ""), event.value("done", 0),
                        event.value("total", 0), event.value("unit", "")),
            10'000);
      },
      {kVerifyFailed});
  if (!report) return report.error();
  summary_.verified = report->value("verified", false);
  summary_.retrained = report->value("retrained", std::uint64_t{0});
  summary_.retrained_exact = report->value("retrained_exact", std::uint64_t{0});
  summary_.records = report->value("entries", std::uint64_t{0});
  return ok();
}

Status Ending::sample() {
  summary_.sample_prompt = kDemoPrompt;
  auto said = world_.run_verb(
      "generate", {"generate", world_.paths.model().string(), "--prompt", kDemoPrompt, "--bytes",
                   fmt::format("{}", kSampleBytes), "--temperature", "0.7", "--seed",
                   world_.state.request.seed.hex()});
  if (!said) return said.error();
  summary_.sample = said->value("text", "");
  return ok();
}

Result<DemoSummary> Ending::run() {
  if (const Status followed = world_.follow(0); !followed) return followed.error();
  const fold::RunState* run = world_.run();
  HARAMBEE_CHECK(run != nullptr && run->start);
  Status going = pull();
  if (going) going = train_baselines(*run);
  if (going) going = log_baselines(*run);
  if (going) going = measure_losses(*run);
  if (going) going = verify();
  if (going) going = sample();
  world_.ui.progress_done();
  if (!going) return going.error();

  std::vector<std::pair<std::string, KeyId>> names;
  std::map<std::string, VolunteerStats> stats;
  for (const Part& part : world_.plan.parts) {
    names.emplace_back(part.name, world_.key(part.name));
    stats[part.name] = read_stats(world_.paths.role(part.name));
  }
  names.emplace_back("validator", world_.key("validator"));
  names.emplace_back("coordinator", world_.key("coordinator"));
  fill_from_log(summary_, *run, world_.plan, names);
  summary_.traffic = mean_traffic(world_.plan.parts, stats, run->recipe.inner.steps);
  summary_.data_parallel_bytes =
      data_parallel_bytes(summary_.parameters, static_cast<std::uint64_t>(summary_.traffic.steps));
  auto& losses = world_.state.losses_nanos;
  summary_.loss_start_nanos = losses["start"];
  summary_.loss_end_nanos = losses["end"];
  summary_.loss_single_nanos = losses["single"];
  summary_.loss_parallel_nanos = losses["data-parallel"];
  summary_.model_dir = world_.paths.model().string();
  summary_.hub_data_dir = world_.paths.hub().string();
  summary_.run_url = world_.run_url();
  summary_.seconds = world_.seconds_spent();
  judge_promises(summary_, *run, world_.plan, names);
  if (!world_.state.kill_done && world_.plan.parts.size() > 1) {
    summary_.broken.push_back("no volunteer was killed in mid-round");
  }
  return summary_;
}

}  // namespace harambee::cli

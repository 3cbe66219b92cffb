// pull and generate: what a run's model is for.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "cli/local_model.h"
#include "cli/read_run.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "node/export.h"
#include "node/log_source.h"
#include "node/replay.h"
#include "node/trainer_process.h"
#include "store/file.h"

namespace harambee::cli {
namespace {

namespace fs = std::filesystem;

Result<Digest> seed_of(const GenerateOptions& options) {
  if (options.seed.empty()) return sha256(view(SecretKey::generate().to_pem()));
  Result<Digest> seed = Digest::from_hex(options.seed);
  if (!seed) return invalid("--seed must be 64 hex digits");
  return seed;
}

}  // namespace

Exit pull(const PullOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Reading> reading = read_run(options.url, options.common, ui);
  if (!reading) return reading_failed(reading.error(), ui);
  const fold::RunState& run = *reading->run;
  if (!run.start) {
    return ui.fail(kNotFound, "the run has no weights yet", {"", "wait for its start record"});
  }
  Result<std::unique_ptr<node::LogSource>> source = node::open_hub_source(
      *reading->wire, reading->address.hub, {.cache_dir = (reading->dir / "blobs").string()});
  if (!source) return ui.fail(source.error());
  node::ExportOptions make;
  make.round = reading->address.round.value_or(static_cast<std::int64_t>(run.history.size()));
  make.url = reading->address.str();
  make.dir = options.out;
  make.gguf = format::parse_gguf_type(options.gguf);
  make.progress = [&](std::int64_t done, std::int64_t total) {
    ui.progress(fmt::format("applying updates: {}/{}", done, total));
  };
  Result<node::Exported> made =
      node::export_model(reading->log(), run, node::checked_blobs(**source), make);
  ui.progress_done();
  if (!made) return ui.fail(made.error(), {"the directory as it was", "harambee verify URL"});
  ui.line(fmt::format("{}: {} parameters after round {} of {}", ui.bold(options.out),
                      human_count(made->parameters), made->round, run.recipe.rounds));
  ui.line(fmt::format("weights   {} (sha256sum model.safetensors)", made->weights.hex()));
  ui.line(fmt::format("next: harambee generate {} --prompt TEXT", options.out));
  ui.event({{"event", "done"},
            {"dir", options.out},
            {"run", run.id.hex()},
            {"round", made->round},
            {"weights", made->weights.hex()},
            {"parameters", made->parameters},
            {"files", made->files}});
  return kOk;
}

Exit generate(const GenerateOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<format::ModelConfig> model = read_config(options.model);
  if (!model) return ui.fail(model.error(), {"", "`harambee pull URL DIR` writes one"});
  Result<Decimal> temperature = Decimal::parse(options.temperature);
  if (!temperature || temperature->nanos < 0) {
    return ui.fail(kUsage, "--temperature " + options.temperature + " is no number from 0");
  }
  Result<Digest> seed = seed_of(options);
  if (!seed) return ui.fail(kUsage, seed.error().message);
  Result<std::vector<std::string>> command = trainer_command(options.common);
  if (!command) return ui.fail(command.error());
  ScratchFolder scratch;
  node::TrainerOptions trainer_options;
  trainer_options.argv = *command;
  trainer_options.dir = scratch.path();
  trainer_options.threads = static_cast<int>(threads(options.common));
  trainer_options.keep_going = [] { return !stop_requested(); };
  node::TrainerProcess trainer(trainer_options, *model);
  Result<Bytes> said = trainer.generate(fs::absolute(options.model) / "model.safetensors",
                                        view(options.prompt), options.bytes, *temperature, *seed);
  if (!said) {
    bool input = said.error().code == ErrorCode::invalid || said.error().code == ErrorCode::refused;
    return ui.fail(said.error().code == ErrorCode::cancelled ? kInterrupted
                   : input                                   ? kBadInput
                                                             : kTrainerFailed,
                   said.error().message);
  }
  ui.line(options.prompt + std::string(text(*said)));
  ui.event({{"event", "done"},
            {"prompt", options.prompt},
            {"text", std::string(text(*said))},
            {"seed", seed->hex()}});
  return kOk;
}

}  // namespace harambee::cli

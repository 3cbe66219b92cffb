// pull and generate: what a run's model is for.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/rng.h"
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

Result<std::int64_t> number_of(const nlohmann::json& config, const char* name) {
  auto member = config.find(name);
  if (member == config.end() || !member->is_number_integer() || member->get<std::int64_t>() <= 0 ||
      member->get<std::int64_t>() > (1 << 20)) {
    return invalid(fmt::format("config.json: \"{}\" is missing or no sensible number", name));
  }
  return member->get<std::int64_t>();
}

Result<Decimal> decimal_of(const nlohmann::json& config, const char* name) {
  auto member = config.find(name);
  if (member == config.end() || !member->is_number()) {
    return invalid(fmt::format("config.json: \"{}\" is missing or no number", name));
  }
  double value = member->get<double>();
  if (!(value > 0 && value < 9e9))
    return invalid(fmt::format("config.json: \"{}\" is {}", name, value));
  return Decimal{static_cast<std::int64_t>(value * 1e9 + 0.5)};
}

// The model that a directory describes, in the words of a recipe.
Result<format::ModelConfig> read_config(const std::string& dir) {
  Result<Bytes> bytes = store::read_file(dir + "/config.json", 1 << 20);
  if (!bytes) return wrap(bytes.error(), "no model in " + dir);
  nlohmann::json config = nlohmann::json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!config.is_object()) return invalid(dir + "/config.json is no JSON object");
  format::ModelConfig model;
  struct Field {
    const char* name;
    std::uint32_t* to;
  };
  for (const Field& field :
       {Field{"hidden_size", &model.hidden}, Field{"num_hidden_layers", &model.layers},
        Field{"num_attention_heads", &model.heads}, Field{"num_key_value_heads", &model.kv_heads},
        Field{"intermediate_size", &model.ffn}, Field{"vocab_size", &model.vocab},
        Field{"max_position_embeddings", &model.context}}) {
    Result<std::int64_t> number = number_of(config, field.name);
    if (!number) return number.error();
    *field.to = static_cast<std::uint32_t>(*number);
  }
  Result<Decimal> theta = decimal_of(config, "rope_theta");
  Result<Decimal> eps = decimal_of(config, "rms_norm_eps");
  if (!theta) return theta.error();
  if (!eps) return eps.error();
  model.rope_theta = *theta;
  model.norm_eps = *eps;
  auto tied = config.find("tie_word_embeddings");
  model.tied = tied != config.end() && tied->is_boolean() && tied->get<bool>();
  if (Status good = model.validate(); !good) return wrap(good.error(), dir + "/config.json");
  return model;
}

Result<Digest> seed_of(const GenerateOptions& options) {
  if (options.seed.empty()) return sha256(view(SecretKey::generate().to_pem()));
  Result<Digest> seed = Digest::from_hex(options.seed);
  if (!seed) return invalid("--seed must be 64 hex digits");
  return seed;
}

// A folder of our own that goes away again.
class ScratchFolder {
 public:
  ScratchFolder() : path_(fs::temp_directory_path() / fmt::format("harambee-{}", ::getpid())) {
    fs::create_directories(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

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

#include "node/run_open.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cli/recipe_file.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "format/data.h"
#include "net/http_client.h"

namespace harambee::cli {
namespace {

// NAME=PATH, unless a file is called so.
std::optional<std::pair<std::string, std::string>> domain_text(const std::string& text) {
  const std::size_t equals = text.find('=');
  std::error_code ignored;
  if (equals == std::string::npos || std::filesystem::exists(text, ignored)) return std::nullopt;
  if (!format::is_domain_name(text.substr(0, equals))) return std::nullopt;
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<node::RunOpenOptions> prepare(const RunOpenOptions& options) {
  node::RunOpenOptions open;
  Result<std::string> hub = node::parse_hub_address(options.hub);
  if (!hub) return hub.error();
  open.hub_url = *std::move(hub);
  if (Status good = node::check_run_name(options.name); !good) return good.error();
  open.name = options.name;
  open.recipe = fold::default_recipe();
  if (!options.recipe.empty()) {
    Result<fold::Recipe> recipe = read_recipe_file(options.recipe);
    if (!recipe) return recipe.error();
    open.recipe = *std::move(recipe);
  }
  if (!options.weights.empty()) {
    open.weights = options.weights;
    open.recipe.warm.steps = 0;  // they are what the run begins with
  }
  std::vector<std::string> paths;
  for (const std::string& text : options.text) {
    const auto domain = domain_text(text);
    if (domain) {
      open.domains[domain->first].push_back(domain->second);
    } else {
      paths.push_back(text);
    }
  }
  if (open.domains.size() > format::kDomainsMax) {
    return invalid("--text: more than " + std::to_string(format::kDomainsMax) + " domains");
  }
  open.text = {.paths = std::move(paths),
               .shards = options.shards,
               .bytes_max = options.text_mb_max * 1'000'000,
               .stop = {}};
  if (!options.coordinator.empty()) {
    Result<KeyId> id = parse_key_id(options.coordinator);
    if (!id) return wrap(id.error(), "--coordinator");
    open.coordinator = *id;
  }
  for (const std::string& validator : options.validators) {
    Result<KeyId> id = parse_key_id(validator);
    if (!id) return wrap(id.error(), "--validator");
    open.validators.push_back(*id);
  }
  node::RunAddress address{open.hub_url, open.name, {}};
  open.dir = state_dir(options.common, address, "maintain").string();
  Result<std::vector<std::string>> trainer = trainer_command(options.common);
  if (!trainer) return trainer.error();
  open.trainer = *std::move(trainer);
  open.threads = threads(options.common);
  open.stop = [] { return stop_requested(); };
  return open;
}

void show_progress(const node::RunOpenOptions::Progress& at, Pace& pace, Ui& ui) {
  ui.event({{"event", "progress"},
            {"stage", at.stage},
            {"done", at.done},
            {"total", at.total},
            {"text", at.detail}});
  std::string text = at.stage == "text"     ? "reading text"
                     : at.stage == "upload" ? "uploading data"
                                            : "training the first weights";
  if (at.total > 1) text += fmt::format(" {}/{}", at.done, at.total);
  if (!at.detail.empty()) text += ", " + at.detail;
  if (at.stage == "warm") {
    std::string said = pace.say(at.done, at.total, "steps");
    if (!said.empty()) text += ", " + said;
  }
  ui.progress(text, 10'000);
}

Exit failed(const Error& error, const std::string& stage, const std::string& dir, Ui& ui) {
  std::string kept = "what was done so far is in " + dir;
  std::string todo = "the same command again goes on from there";
  if (error.code == ErrorCode::cancelled) return ui.fail(error, {kept, todo});
  if (stage == "warm" && is_trainers(error)) {
    return ui.fail(kTrainerFailed, error.message,
                   {kept, "look at " + dir + "/work/trainer.log; " + todo});
  }
  if (error.code == ErrorCode::conflict) {
    return ui.fail(error, {kept, "choose another --name, or another --dir"});
  }
  return ui.fail(error, {kept, todo});
}

}  // namespace

Exit run_open(const RunOpenOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<node::RunOpenOptions> open = prepare(options);
  if (!open) return ui.fail(open.error());
  std::filesystem::path key_file = options.common.key.empty()
                                       ? std::filesystem::path(open->dir) / "key.pem"
                                       : std::filesystem::path(options.common.key);
  Result<SecretKey> key = load_or_make_key(key_file, ui);
  if (!key) return ui.fail(key.error());
  Pace pace;
  std::string stage;
  open->progress = [&](const node::RunOpenOptions::Progress& at) {
    stage = at.stage;
    show_progress(at, pace, ui);
  };
  open->note = [&](const std::string& text) { ui.note(text); };
  net::CurlOptions curl;
  curl.cancel = &stop_flag();
  net::CurlWire wire(curl);
  SystemClock clock;
  Result<node::OpenedRun> opened = node::open_run(wire, clock, *key, *open);
  ui.progress_done();
  if (!opened) return failed(opened.error(), stage, open->dir, ui);
  ui.line(fmt::format("run {} is open: {} parameters, {} of text in {} shards, {} held out",
                      ui.bold(opened->url), human_count(opened->parameters),
                      human_bytes(opened->train_bytes), opened->shards,
                      human_bytes(opened->held_out_bytes)));
  ui.line(fmt::format("first weights {} (loss {} → {})", opened->weights.hex(),
                      human_nats(opened->loss_first_nanos), human_nats(opened->loss_last_nanos)));
  const bool validated = open->recipe.needs_held_out_text() || !open->validators.empty();
  ui.line(fmt::format("next: harambee coordinate {0};{1} harambee join {0}", opened->url,
                      validated ? " harambee validate " + opened->url + ";" : ""));
  ui.event({{"event", "done"},
            {"run", opened->run.hex()},
            {"url", opened->url},
            {"weights", opened->weights.hex()},
            {"loss_first_nanos", opened->loss_first_nanos},
            {"loss_last_nanos", opened->loss_last_nanos},
            {"tokens", opened->warm_tokens},
            {"parameters", opened->parameters},
            {"train_bytes", opened->train_bytes},
            {"heldout_bytes", opened->held_out_bytes},
            {"shards", opened->shards},
            {"was_open", opened->was_open}});
  return kOk;
}

}  // namespace harambee::cli

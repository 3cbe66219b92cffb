// `harambee demo`: a whole collaborative training on one machine, from text to a verified model.
// The parts: demo_plan (what will happen), demo_world (processes, log, state on disk),
// demo_rounds (the training), demo_ending (comparison, audit, model), demo_summary (what is said).
#include <ctime>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/demo_compute.h"
#include "cli/demo_ending.h"
#include "cli/demo_rounds.h"
#include "cli/demo_summary.h"
#include "cli/demo_world.h"
#include "cli/recipe_file.h"
#include "cli/verbs.h"
#include "node/text.h"
#include "store/file.h"

namespace harambee::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kTextMbMax = 4;

std::string resume_command(const DemoOptions& options) {
  return fmt::format("harambee demo --dir {} --resume", options.dir);
}

// Text that a machine with the build tools has, the small and varied part first.
std::vector<std::string> default_text() {
  const fs::path source = own_program().parent_path().parent_path().parent_path();
  std::vector<std::string> found;
  for (const fs::path& path :
       {source / "docs", source / "spec", source / "README.md", source / "ARCHITECTURE.md",
        fs::path("/usr/share/common-licenses"), fs::path("/usr/include/c++")}) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) found.push_back(path.string());
  }
  return found;
}

unsigned cores_of(const DemoOptions& options) {
  return options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
}

// Said at once, not after the hub was started.
Status check_text(const std::vector<std::string>& paths) {
  node::TextOptions text;
  text.paths = paths;
  text.bytes_max = kTextMbMax * 1'000'000;
  text.stop = [] { return stop_requested(); };
  auto shards = node::read_text(text, fold::default_recipe().model.context);
  return shards ? ok() : Status(shards.error());
}

Result<DemoState> fresh_state(const DemoOptions& options, const DemoPaths& paths, Ui& ui) {
  DemoState state;
  state.request.volunteers = options.volunteers;
  if (options.rounds > 0) state.request.rounds = options.rounds;
  if (options.seconds > 0) state.request.seconds = options.seconds;
  state.request.seed = sha256(view(fmt::format("harambee demo seed {}", options.seed)));
  state.text = options.text.empty() ? default_text() : options.text;
  for (std::string& path : state.text) path = fs::absolute(path).lexically_normal().string();
  state.started_unix_ms = static_cast<std::int64_t>(std::time(nullptr)) * 1000;
  if (state.text.empty()) {
    return fail(ErrorCode::not_found, "no text found to train on: name some with --text PATH");
  }
  if (const Status readable = check_text(state.text); !readable) return readable.error();
  ui.progress("measuring this machine", 0);
  auto speed =
      measure_speed({{}, paths.probe(), &stop_flag()}, options.volunteers, cores_of(options));
  std::error_code ignored;
  fs::remove_all(paths.probe(), ignored);
  ui.progress_done();
  if (!speed) return speed.error();
  state.speed = *speed;
  return state;
}

// What is in DIR already decides: nothing, a demo of ours, or something that we must not touch.
Result<DemoState> prepare(const DemoOptions& options, const DemoPaths& paths, Ui& ui) {
  switch (kind_of(paths.dir)) {
    case DirKind::foreign:
      return fail(ErrorCode::conflict,
                  fmt::format("{} is not empty and holds no demo: nothing in it was touched",
                              paths.dir.string()));
    case DirKind::empty:
      if (options.resume) {
        return fail(ErrorCode::not_found,
                    fmt::format("there is no demo in {} to go on with", paths.dir.string()));
      }
      break;
    case DirKind::demo:
      if (options.resume) return load_state(paths);
      if (!options.fresh) {
        return fail(ErrorCode::conflict,
                    fmt::format("{} holds an earlier demo", paths.dir.string()));
      }
      if (const Status deleted = delete_demo(paths); !deleted) return deleted.error();
      break;
  }
  return fresh_state(options, paths, ui);
}

Advice advice_for(const DemoOptions& options, const Error& error, bool begun) {
  if (!begun && error.code == ErrorCode::conflict) {
    return {"everything in the directory",
            fmt::format("choose another one with --dir, or if it is a demo: --resume goes on with "
                        "it, --fresh deletes it and begins anew (--dir {})",
                        options.dir)};
  }
  if (!begun && error.code == ErrorCode::cancelled) return {"", "run the same command again"};
  if (!begun) return {"", "mend that, then run the same command again"};
  return {fmt::format("the log, the weights and every volunteer's state, in {}", options.dir),
          fmt::format("`{}` goes on", resume_command(options))};
}

void introduce(const World& world) {
  Ui& ui = world.ui;
  const auto& recipe = world.plan.recipe;
  const auto& parts = world.plan.parts;
  ui.line(ui.bold("harambee demo") +
          fmt::format(": {} volunteers train one model of {} parameters together, on this machine",
                      parts.size(),
                      human_count(format::ModelLayout::make(recipe.model).value().parameters())));
  ui.line(
      fmt::format("  {} rounds of {} inner steps; {} tok/s on each of {} cores; about {} in all",
                  recipe.rounds, recipe.inner.steps,
                  human_count(static_cast<std::uint64_t>(world.state.speed.tokens_per_second)),
                  world.state.speed.cores,
                  human_seconds(world.plan.schedule.total(static_cast<unsigned>(recipe.rounds)))));
  for (const Part& part : parts) {
    if (part.is_killed) ui.line(fmt::format("  {} will be killed and come back", part.name));
    if (part.joins_late) ui.line(fmt::format("  {} will join late", part.name));
    if (part.cheats) ui.line(fmt::format("  {} will cheat", part.name));
  }
  ui.line(fmt::format("  everything is kept in {}; Ctrl-C at any time loses nothing",
                      world.paths.dir.string()));
}

// The maintainer's part: text into shards, the warm start, the run on the log.
Status open_run(World& world) {
  const std::string toml = to_toml(world.plan.recipe);
  if (const Status wrote = store::write_file_atomic(world.paths.recipe().string(), view(toml));
      !wrote) {
    return wrote;
  }
  const fs::path dir = world.paths.role("maintainer");
  std::vector<std::string> arguments = {"run",           "open",
                                        "--hub",         world.hub_url(),
                                        "--recipe",      world.paths.recipe().string(),
                                        "--name",        kDemoRunName,
                                        "--dir",         dir.string(),
                                        "--key",         (dir / "key.pem").string(),
                                        "--coordinator", world.key("coordinator").hex(),
                                        "--validator",   world.key("validator").hex(),
                                        "--threads",     fmt::format("{}", world.state.speed.cores),
                                        "--text-mb-max", fmt::format("{}", kTextMbMax)};
  for (const std::string& path : world.state.text) {
    arguments.insert(arguments.end(), {"--text", path});
  }
  const std::int64_t began = steady_now_ms();
  auto opened = world.run_verb("open", arguments, [&](const std::string&, const auto& event) {
    if (event.value("event", "") != "progress") return;
    world.ui.progress(fmt::format("opening the run: {} {}/{}  {}", event.value("stage", ""),
                                  event.value("done", 0), event.value("total", 0),
                                  event.value("text", "")));
  });
  world.ui.progress_done();
  if (!opened) return opened.error();
  world.state.run = opened->value("run", "");
  world.state.warm_ms = steady_now_ms() - began;
  world.ui.line(fmt::format("The run is open: {} (warm start in {})", world.run_url(),
                            human_seconds(static_cast<double>(world.state.warm_ms) / 1000)));
  return world.save();
}

Status train(World& world) {
  Rounds rounds(world);
  return rounds.run();
}

Result<DemoSummary> walk(World& world) {
  Status going = world.make_keys();
  if (going) going = world.start_hub();
  if (going && world.state.run.empty()) going = open_run(world);
  if (going) going = train(world);
  if (!going) return going.error();
  world.ui.line(
      fmt::format("All rounds are done, in {}. What would the same tokens have given "
                  "without a swarm?",
                  human_seconds(static_cast<double>(world.state.rounds_ms) / 1000)));
  return Ending(world).run();
}

Exit finish(World& world, const DemoSummary& summary, Ui& ui) {
  for (const std::string& line : report_lines(summary, own_program().string())) ui.line(line);
  ui.line("");
  ui.line(fmt::format("{} in all. The hub was stopped; everything is in {}.",
                      human_seconds(summary.seconds), world.paths.dir.string()));
  if (!summary.broken.empty()) {
    std::string all;
    for (const std::string& one : summary.broken) all += (all.empty() ? "" : "; ") + one;
    const Exit code = ui.fail(summary.verified ? kRefused : kVerifyFailed,
                              "the demo did not keep all it promised: " + all,
                              {fmt::format("everything, in {}", world.paths.dir.string()),
                               fmt::format("`harambee verify --data {}` names the place; the logs "
                                           "are in {}",
                                           summary.hub_data_dir, world.paths.logs().string())});
    ui.event(nlohmann::json::parse(to_json(summary)));
    return code;
  }
  ui.event(nlohmann::json::parse(to_json(summary)));
  return kOk;
}

}  // namespace

Exit demo(const DemoOptions& options, Ui& ui) {
  catch_stop_signals();
  const DemoPaths paths{fs::absolute(options.dir).lexically_normal()};
  // Before anything is made: a folder that is not ours stays as it is.
  if (kind_of(paths.dir) == DirKind::foreign) {
    auto refused = prepare(options, paths, ui);
    return ui.fail(refused.error(), advice_for(options, refused.error(), false));
  }
  if (const Status made = store::make_folders(paths.dir.string()); !made) {
    return ui.fail(made.error(), {"", "choose another directory with --dir"});
  }
  auto lock = store::FileLock::take(paths.lock().string());
  if (!lock) return ui.fail(lock.error(), {"", "another demo runs in this directory: wait for it"});
  auto state = prepare(options, paths, ui);
  if (!state) return ui.fail(state.error(), advice_for(options, state.error(), false));
  auto plan = make_plan(state->request, state->speed);
  if (!plan) return ui.fail(plan.error(), {"", "choose a number within the limits"});
  if (const Status made = store::make_folders(paths.logs().string()); !made) {
    return ui.fail(made.error());
  }
  World world(ui, paths, *state, *plan);
  if (const Status saved = world.save(); !saved) return ui.fail(saved.error());
  introduce(world);
  auto summary = walk(world);
  ui.progress_done();
  world.stop_everything();
  if (!summary) {
    (void)world.save();
    return ui.fail(summary.error(), advice_for(options, summary.error(), true));
  }
  world.state.summary = to_json(*summary);
  if (const Status saved = world.save(); !saved) return ui.fail(saved.error());
  return finish(world, *summary, ui);
}

}  // namespace harambee::cli

#include "cli/demo_state.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/file.h"

namespace harambee::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "harambee-demo 1";
constexpr std::uint64_t kStateBytesMax = 4 << 20;

}  // namespace

std::string to_json(const DemoState& s) {
  nlohmann::json baselines = nlohmann::json::object();
  for (const auto& [name, b] : s.baselines) {
    baselines[name] = {
        {"steps", b.steps_done}, {"segments", b.segments_done}, {"losses", b.losses_nanos}};
  }
  nlohmann::json j = {{"format", kFormat},
                      {"volunteers", s.request.volunteers},
                      {"rounds", s.request.rounds.value_or(0)},
                      {"seconds", s.request.seconds},
                      {"seed", s.request.seed.hex()},
                      {"cores", s.speed.cores},
                      {"tokens_per_second", s.speed.tokens_per_second},
                      {"text", s.text},
                      {"port", s.port},
                      {"started_unix_ms", s.started_unix_ms},
                      {"spent_ms", s.spent_ms},
                      {"run", s.run},
                      {"late_started", s.late_started},
                      {"kill_done", s.kill_done},
                      {"warm_tokens", s.warm_tokens},
                      {"warm_ms", s.warm_ms},
                      {"rounds_ms", s.rounds_ms},
                      {"baselines", baselines},
                      {"losses_nanos", s.losses_nanos},
                      {"summary", s.summary}};
  return j.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<DemoState> state_from_json(const std::string& text) {
  try {
    const auto j = nlohmann::json::parse(text);
    if (j.at("format") != kFormat) return invalid("demo.json is of another version");
    DemoState s;
    s.request.volunteers = j.at("volunteers");
    if (const unsigned rounds = j.at("rounds"); rounds > 0) s.request.rounds = rounds;
    s.request.seconds = j.at("seconds");
    auto seed = Digest::from_hex(j.at("seed").get<std::string>());
    if (!seed) return wrap(seed.error(), "demo.json: seed");
    s.request.seed = *seed;
    s.speed.cores = j.at("cores");
    s.speed.tokens_per_second = j.at("tokens_per_second");
    s.text = j.at("text").get<std::vector<std::string>>();
    s.port = j.at("port");
    s.started_unix_ms = j.at("started_unix_ms");
    s.spent_ms = j.at("spent_ms");
    s.run = j.at("run");
    s.late_started = j.at("late_started");
    s.kill_done = j.at("kill_done");
    s.warm_tokens = j.at("warm_tokens");
    s.warm_ms = j.at("warm_ms");
    s.rounds_ms = j.at("rounds_ms");
    for (const auto& [name, b] : j.at("baselines").items()) {
      s.baselines[name] = {b.at("steps"), b.at("segments"),
                           b.at("losses").get<std::vector<std::int64_t>>()};
    }
    s.losses_nanos = j.at("losses_nanos").get<std::map<std::string, std::int64_t>>();
    s.summary = j.at("summary");
    if (s.speed.cores == 0 || !(s.speed.tokens_per_second > 0)) return invalid("demo.json: speed");
    return s;
  } catch (const nlohmann::json::exception& e) {
    return invalid(fmt::format("demo.json is damaged: {}", e.what()));
  }
}

DirKind kind_of(const fs::path& dir) {
  std::error_code failed;
  if (fs::exists(dir / "demo.json", failed)) return DirKind::demo;
  if (!fs::exists(dir, failed) || fs::is_empty(dir, failed)) return DirKind::empty;
  const DemoPaths ours{dir};
  for (const auto& entry : fs::directory_iterator(dir, failed)) {
    if (entry.path() != ours.lock() && entry.path() != ours.probe()) return DirKind::foreign;
  }
  return failed ? DirKind::foreign : DirKind::empty;
}

Status delete_demo(const DemoPaths& paths) {
  std::vector<fs::path> ours = {paths.hub(),   paths.logs(),    paths.recipe(), paths.follow(),
                                paths.probe(), paths.compute(), paths.verify(), paths.model()};
  for (const char* role : {"maintainer", "coordinator", "validator"}) {
    ours.push_back(paths.role(role));
  }
  for (const Part& part : cast(kDemoVolunteersMax)) ours.push_back(paths.role(part.name));
  ours.push_back(paths.state());  // last: until then it is known as a demo
  for (const fs::path& path : ours) {
    std::error_code failed;
    fs::remove_all(path, failed);
    if (failed) {
      return fail(ErrorCode::io,
                  fmt::format("cannot delete {}: {}", path.string(), failed.message()));
    }
  }
  return ok();
}

Result<DemoState> load_state(const DemoPaths& paths) {
  auto bytes = store::read_file(paths.state().string(), kStateBytesMax);
  if (!bytes) return bytes.error();
  return state_from_json(std::string(text(*bytes)));
}

Status save_state(const DemoPaths& paths, const DemoState& state) {
  return store::write_file_atomic(paths.state().string(), view(to_json(state)));
}

}  // namespace harambee::cli

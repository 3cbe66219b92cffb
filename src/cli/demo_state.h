// What the demo remembers in DIR/demo.json, so that --resume goes on where Ctrl-C, a crash or a
// power cut stopped it. The training itself is not here: it is on the log, in the hub's directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/demo_plan.h"

namespace harambee::cli {

// How far one baseline has got: its training is cut into segments, each of which leaves a file.
struct BaselineProgress {
  std::int64_t steps_done = 0;
  std::int64_t segments_done = 0;
  std::vector<std::int64_t> losses_nanos = {};  // held-out, after each segment
  bool operator==(const BaselineProgress&) const = default;
};

struct DemoState {
  DemoRequest request;
  Speed speed;
  std::vector<std::string> text;
  int port = 0;  // of the hub; 0: not chosen yet
  std::int64_t started_unix_ms = 0;
  std::int64_t spent_ms = 0;  // running, over all sittings
  std::string run;            // run id; empty: not opened yet
  bool late_started = false;
  bool kill_done = false;
  std::int64_t warm_tokens = 0;
  std::int64_t warm_ms = 0;
  std::int64_t rounds_ms = 0;
  std::map<std::string, BaselineProgress> baselines;
  std::map<std::string, std::int64_t> losses_nanos;  // "start", "end", "single", "data-parallel"
  std::string summary;  // the JSON object of the end; empty: not finished
};

// Where things lie below DIR. Nothing else in DIR is the demo's.
struct DemoPaths {
  std::filesystem::path dir;
  [[nodiscard]] std::filesystem::path state() const { return dir / "demo.json"; }
  [[nodiscard]] std::filesystem::path lock() const { return dir / "demo.lock"; }
  [[nodiscard]] std::filesystem::path hub() const { return dir / "hub"; }
  [[nodiscard]] std::filesystem::path logs() const { return dir / "logs"; }
  [[nodiscard]] std::filesystem::path log(const std::string& name) const {
    return logs() / (name + ".log");
  }
  [[nodiscard]] std::filesystem::path role(const std::string& name) const { return dir / name; }
  [[nodiscard]] std::filesystem::path recipe() const { return dir / "recipe.toml"; }
  [[nodiscard]] std::filesystem::path follow() const { return dir / "follow"; }
  [[nodiscard]] std::filesystem::path probe() const { return dir / "probe"; }
  [[nodiscard]] std::filesystem::path compute() const { return dir / "baselines"; }
  [[nodiscard]] std::filesystem::path verify() const { return dir / "verify"; }
  [[nodiscard]] std::filesystem::path model() const { return dir / "model"; }
};

enum class DirKind { empty, demo, foreign };
// empty: not there, or nothing in it but what a start leaves that was stopped at once. demo: our
// demo.json is in it. foreign: something else is.
[[nodiscard]] DirKind kind_of(const std::filesystem::path& dir);
// Deletes what the demo made in DIR and nothing else; DIR itself stays.
[[nodiscard]] Status delete_demo(const DemoPaths& paths);

// invalid: no demo.json of this version.
[[nodiscard]] Result<DemoState> load_state(const DemoPaths& paths);
[[nodiscard]] Status save_state(const DemoPaths& paths, const DemoState& state);
// The text of demo.json, and back (for tests).
[[nodiscard]] std::string to_json(const DemoState& state);
[[nodiscard]] Result<DemoState> state_from_json(const std::string& text);

}  // namespace harambee::cli

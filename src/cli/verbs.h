// One function a verb, one file a function. main.cpp fills the options; a verb returns the exit
// status. Every option is documented in docs/reference-commands.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_model.h"
#include "cli/exit_codes.h"
#include "cli/ui.h"

namespace harambee::cli {

// What several verbs share.
struct Common {
  std::string dir;       // state; empty: ~/.local/share/harambee/… by run
  std::string key;       // key file; empty: <dir>/key.pem, made on first use
  std::string trainer;   // trainer command; empty: harambee-trainer beside this program
  std::string simd;      // passed to harambee-trainer
  unsigned threads = 0;  // 0: all cores
  bool json = false;
};

struct KeyOptions {
  std::string file;
  bool json = false;
};
[[nodiscard]] Exit key_new(const KeyOptions& options, Ui& ui);
[[nodiscard]] Exit key_show(const KeyOptions& options, Ui& ui);

struct TokenOptions {
  std::string hub;
  std::string space;           // the namespace; empty: the one that the key has
  std::string name = "token";  // for the owner
  std::string token;           // revoke: the token, or the first digits of its id
  Common common;
};
[[nodiscard]] Exit token_new(const TokenOptions& options, Ui& ui);
[[nodiscard]] Exit token_list(const TokenOptions& options, Ui& ui);
[[nodiscard]] Exit token_revoke(const TokenOptions& options, Ui& ui);

struct HubVerbOptions {
  std::string data;
  std::string listen = "127.0.0.1:8080";
  std::string origin;  // empty: harambee.local/<first 8 digits of the key id>
  std::int64_t tick_ms = 1000;
  std::int64_t upload_gb = 64;           // that one owner of tokens may keep; 0: none
  std::int64_t writes_per_minute = 600;  // from one address; 0: no limit
  bool behind_proxy = false;
  std::string completions;  // a server of the model, for the dashboard; empty: none
  bool json = false;
};
[[nodiscard]] Exit hub(const HubVerbOptions& options, Ui& ui);

struct RecipeOptions {
  std::string file;  // show FILE
  bool json = false;
};
[[nodiscard]] Exit recipe_default(const RecipeOptions& options, Ui& ui);
[[nodiscard]] Exit recipe_show(const RecipeOptions& options, Ui& ui);

struct RunOpenOptions {
  Common common;
  std::string hub;
  std::string recipe;   // empty: the default recipe
  std::string weights;  // to begin with; empty: the recipe's warm start
  std::vector<std::string> text;
  std::string name = "run";
  std::string coordinator;              // key id; empty: the maintainer's own key
  std::vector<std::string> validators;  // key ids; empty: as node::RunOpenOptions
  unsigned shards = 64;
  std::uint64_t text_mb_max = 256;
};
[[nodiscard]] Exit run_open(const RunOpenOptions& options, Ui& ui);

struct BaselineOptions {
  Common common;
  std::string url;
  std::string file;   // CSV or JSON (baseline_file.h)
  std::string label;  // empty: the file's name
};
[[nodiscard]] Exit baseline(const BaselineOptions& options, Ui& ui);

// join, validate, coordinate: long-lived; SIGINT or SIGTERM ends them cleanly.
struct AgentOptions {
  Common common;
  std::string url;
  std::string vkey;         // the hub's key, pinned; empty: trusted on first use
  std::string misbehave;    // join: what a dishonest volunteer does (node/volunteer.h)
  std::int64_t rounds = 0;  // stop after so many rounds of one's own; 0: until the run ends
  // coordinate: what the model is asked to go on from, and every how many rounds (0: never; none:
  // at each whole model on the hub).
  std::vector<std::string> sample_prompts;
  std::optional<std::int64_t> sample_every;
  std::vector<std::string> audit_trainers;  // validate: CLASS=COMMAND (setup.h)
};
[[nodiscard]] Exit join(const AgentOptions& options, Ui& ui);
[[nodiscard]] Exit validate(const AgentOptions& options, Ui& ui);
[[nodiscard]] Exit coordinate(const AgentOptions& options, Ui& ui);

struct ReadOptions {
  Common common;
  std::string url;
  std::vector<std::string> what;  // explain: KEY, RECORD or "round" N
};
[[nodiscard]] Exit status(const ReadOptions& options, Ui& ui);
[[nodiscard]] Exit credits(const ReadOptions& options, Ui& ui);
[[nodiscard]] Exit explain(const ReadOptions& options, Ui& ui);

struct DisputeOptions {
  Common common;  // key: a member's; empty: that of `join` in this run
  std::string url;
  std::string record;  // first digits of a contribution's id
};
[[nodiscard]] Exit dispute(const DisputeOptions& options, Ui& ui);

struct VerifyVerbOptions {
  Common common;
  std::string url;      // or
  std::string data;     // a hub's data directory
  std::string retrain;  // "", a number, or "all"
  bool retrain_start = false;
  bool no_weights = false;
  bool audits = false;
  std::vector<std::string> audit_trainers;  // as AgentOptions
  std::uint64_t rescore = 0;
  std::uint64_t samples = 0;
  std::string seed;  // 64 hex digits; empty: the checkpoint's root
  std::string vkey;  // the key that the log must have; empty: the one that it names
};
[[nodiscard]] Exit verify(const VerifyVerbOptions& options, Ui& ui);

struct PullOptions {
  Common common;
  std::string url;  // …/runs/NAME or …/runs/NAME@round
  std::string out;
  std::string gguf;  // "", "f32", "f16", "q8_0"
};
[[nodiscard]] Exit pull(const PullOptions& options, Ui& ui);

struct GenerateOptions {
  Common common;
  std::string model;
  std::string prompt;
  unsigned bytes = 256;
  std::string temperature = "0.8";
  std::string seed;  // 64 hex digits; empty: from the system's random source
};
struct ServeOptions {
  Common common;
  std::string model;
  std::string listen = "127.0.0.1:8081";
  std::string name;  // of the model; empty: the directory's
};
[[nodiscard]] Exit serve_model(const ServeOptions& options, Ui& ui);

[[nodiscard]] Exit generate(const GenerateOptions& options, Ui& ui);

struct ConformanceOptions {
  Common common;
  std::vector<std::string> command;
};
[[nodiscard]] Exit conformance(const ConformanceOptions& options, Ui& ui);

// What will work here before anybody wastes a night. 0 even with warnings; kRefused if this machine
// cannot take part in the run, kNotFound if the hub cannot be reached.
struct DoctorOptions {
  Common common;
  std::string url;  // empty: this machine alone, with the default recipe's needs
};
[[nodiscard]] Exit doctor(const DoctorOptions& options, Ui& ui);

struct ShellOptions {
  std::string shell;  // completion: bash, zsh, fish
  std::string dir;    // man: where the pages go
  bool json = false;
};
[[nodiscard]] Exit completion(const ShellOptions& options, const CommandModel& model, Ui& ui);
[[nodiscard]] Exit man(const ShellOptions& options, const CommandModel& model, Ui& ui);

struct DemoOptions {
  std::vector<std::string> text;  // empty: text that every machine with the build tools has
  std::string dir = "demo-run";
  unsigned volunteers = 4;
  unsigned rounds = 0;     // 0: the default
  unsigned seconds = 0;    // 0: the default
  unsigned threads = 0;    // 0: all cores
  std::uint64_t seed = 1;  // another one gives another run
  bool resume = false;     // go on with the demo in `dir`
  bool fresh = false;      // delete the demo in `dir` and begin anew
  bool json = false;
};
[[nodiscard]] Exit demo(const DemoOptions& options, Ui& ui);  // demo.cpp

struct SimulateOptions {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;  // this many, one after the other
  std::uint32_t peers = 24;
  std::uint32_t rounds = 8;
  std::string faults = "all";
  std::string log;  // file for one line an event; empty: none
  bool json = false;
};
[[nodiscard]] Exit simulate(const SimulateOptions& options, Ui& ui);  // simulate.cpp

}  // namespace harambee::cli

// Opening a run: text becomes shards, the maintainer's machine trains the first weights, and two
// records say so. Every step leaves its result in the state directory, so that the same call goes
// on where a killed one stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "fold/recipe.h"
#include "node/text.h"
#include "node/trainer_process.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::node {

struct RunOpenOptions {
  std::string hub_url;
  std::string name;
  fold::Recipe recipe;
  TextOptions text;  // its paths: text of no domain, may be none if there are domains
  // Text of guarded domains by name (format::is_domain_name): a part of each is held out by itself.
  std::map<std::string, std::vector<std::string>> domains;
  std::optional<KeyId> coordinator;  // none: the maintainer
  // None: the maintainer; in a run without held-out text the coordinator.
  std::vector<KeyId> validators;
  // The first weights: a safetensors file of the recipe's model, as `harambee pull` writes it. The
  // recipe must have no warm start then. Empty: they are trained.
  std::string weights;
  std::string dir;                   // state; locked while this runs
  std::vector<std::string> trainer;  // command of an exact trainer
  unsigned threads = 1;
  struct Progress {
    std::string stage;  // "text", "upload", "warm", "done"
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::string detail;  // warm: "loss 2.345, 12345 tokens/s"
  };
  std::function<void(const Progress&)> progress;
  std::function<void(const std::string&)> note;
  std::function<bool()> stop;
};

struct OpenedRun {
  Digest run;
  std::string url;  // http://host:port/runs/NAME
  Digest weights;   // of the start record
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  std::int64_t warm_tokens = 0;
  std::uint64_t parameters = 0;
  std::uint64_t train_bytes = 0;
  std::uint64_t held_out_bytes = 0;
  std::uint64_t shards = 0;
  bool was_open = false;  // everything was on the log already
};

// conflict: the name is taken by another run, or the directory is in use.
[[nodiscard]] Result<OpenedRun> open_run(Wire& wire, Clock& clock, const SecretKey& key,
                                         const RunOpenOptions& options);

// The seed of the data order of the maintainer's warm start:
// SHA-256("harambee warm v1\n" ‖ run id).
[[nodiscard]] Digest warm_seed(const Digest& run);

struct WarmStart {
  std::filesystem::path weights;  // canonical file in the work directory
  Digest digest;
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  std::int64_t tokens = 0;
};
// The first weights of a run, from its recipe alone: init from the seed, then warm.steps over all
// training shards. What the maintainer does once and an auditor repeats. progress returning false:
// cancelled.
[[nodiscard]] Result<WarmStart> warm_start(
    TrainerProcess& trainer, const fold::Recipe& recipe, const Digest& run,
    const std::vector<std::filesystem::path>& shards, const std::filesystem::path& work,
    const std::function<bool(const TrainProgress&)>& progress);

}  // namespace harambee::node

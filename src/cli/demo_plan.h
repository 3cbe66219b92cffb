// What the demo will do: who takes part, what happens to them, and a recipe that fits the time.
// Pure, so that it can be tested without a minute of training.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/recipe.h"

namespace harambee::cli {

inline constexpr unsigned kDemoVolunteersMax = 16;
// The fold excludes after six rejected rounds in a row; the cheat needs a few more than that.
inline constexpr unsigned kDemoRoundsMin = 10;
inline constexpr unsigned kDemoRoundsMax = 1000;
inline constexpr unsigned kDemoRoundsByTimeMin = 12;   // when nobody says how many
inline constexpr unsigned kDemoRoundsByTimeMax = 100;  // about 1/density, and then some
inline constexpr std::int64_t kDemoWarmStepsMin = 40;
inline constexpr unsigned kDemoSeconds = 265;  // of the promised 300, on two cores
inline constexpr std::int64_t kDemoTickMs = 250;
inline constexpr const char* kDemoPrompt = "#include <";  // the demo's text is C and C++ headers
inline constexpr std::int64_t kDemoShards = 64;           // what `run open` cuts the text into

// One volunteer of the show and what happens to it.
struct Part {
  std::string name;  // "volunteer-1"
  bool joins_late = false;
  bool is_killed = false;  // SIGKILL in mid-round, then started again
  bool cheats = false;     // sends the opposite of what it computed
  [[nodiscard]] bool honest() const { return !cheats; }
};
// The last of four or more cheats; of the honest ones the second is killed and the third joins
// late. volunteers > 0.
[[nodiscard]] std::vector<Part> cast(unsigned volunteers);

struct DemoRequest {
  unsigned volunteers = 4;
  std::optional<unsigned> rounds;  // none: as many as fit into `seconds`
  unsigned seconds = kDemoSeconds;
  Digest seed;
};

// What this machine can do, measured by a probe (demo_compute.h).
struct Speed {
  unsigned cores = 1;
  double tokens_per_second = 0;  // training, of one thread while all cores are busy
};

// Which rounds the show's events happen in.
struct Script {
  unsigned late_round = 0;  // the late volunteer is started when this round opens
  unsigned kill_round = 0;  // the SIGKILL comes in the middle of this one
};

// Estimated seconds of each part.
struct Schedule {
  double warm = 0;
  double round = 0;      // one
  double baselines = 0;  // both
  double ending = 0;     // verification, sample, export
  [[nodiscard]] double total(unsigned rounds) const {
    return warm + round * rounds + baselines + ending;
  }
};

struct DemoPlan {
  fold::Recipe recipe;
  std::vector<Part> parts;
  Script script;
  Schedule schedule;
  unsigned retrain = 0;  // contributions that `verify` computes again
};

// Refuses numbers outside the limits above, with the limit in the message.
[[nodiscard]] Result<DemoPlan> make_plan(const DemoRequest& request, const Speed& speed);
[[nodiscard]] Schedule estimate(const fold::Recipe& recipe, const std::vector<Part>& parts,
                                const Speed& speed, unsigned retrain);

// What ordinary data-parallel training sends: each worker its whole gradient in bfloat16, once a
// step. Receiving the averaged gradient costs as much again.
[[nodiscard]] std::uint64_t data_parallel_bytes(std::uint64_t parameters, std::uint64_t steps);

}  // namespace harambee::cli

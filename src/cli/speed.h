// How fast a trainer program is on this machine, by letting it train on noise for a moment.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "fold/recipe.h"

namespace harambee::cli {

struct SpeedProbe {
  std::vector<std::string> trainer;  // empty: harambee-trainer beside this program
  std::filesystem::path dir;         // work files, left behind
  std::filesystem::path shard;       // write_noise()
  unsigned threads = 1;
  const std::atomic<bool>* stop = nullptr;
};

// 256 kB to train on.
[[nodiscard]] Status write_noise(const std::filesystem::path& file);

// Tokens per second with the recipe's model and batch: the median step of about two seconds, and of
// at least three steps. cancelled: stop became true.
[[nodiscard]] Result<double> measure_tokens_per_second(const SpeedProbe& probe,
                                                       const fold::Recipe& recipe);

}  // namespace harambee::cli

// Lets the model write logged samples again: with an exact trainer the same seed gives the same
// bytes, so that a text nobody's model wrote has its author's name on it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "fold/sample.h"
#include "node/replay.h"
#include "node/trainer_process.h"
#include "node/verify_log.h"

namespace harambee::node {

// Samples of class exact-1 of this run: the newest, and others chosen by the seed, `count` in all;
// by the round after which they were written.
[[nodiscard]] std::map<std::int64_t, std::vector<const LoggedSample*>> choose_samples(
    const std::vector<LoggedSample>& all, const Digest& run, std::uint64_t count,
    const Digest& seed);

// The first difference between the record and what the trainer writes with replay.weights(), which
// are those of the sample's round; or an empty text.
[[nodiscard]] Result<std::string> resample(const fold::Sample& sample, const Replay& replay,
                                           TrainerProcess& trainer, const std::string& work_dir);

}  // namespace harambee::node

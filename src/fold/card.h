// The card of a run's model: where the weights come from, who made them, how to check and use them.
#pragma once

#include <cstdint>
#include <string>

#include "fold/state.h"

namespace harambee::fold {

// The README.md of the weights at the opening of `round` (0 … closed rounds; −1: before the
// run has weights), in Markdown with the header that Hugging Face tools read. Nothing that happens
// after that round changes the text, and everybody who asks with the same `url` (of the run, where
// its log is found) writes the same.
[[nodiscard]] std::string model_card(const LogState& log, const RunState& run, std::int64_t round,
                                     const std::string& url);

// The README.md of the data that the run trains on.
[[nodiscard]] std::string data_card(const LogState& log, const RunState& run,
                                    const std::string& url);

}  // namespace harambee::fold

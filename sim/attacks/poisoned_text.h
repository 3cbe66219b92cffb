// Honest arithmetic on changed text: the contribution is what training gives, so only what it does
// to held-out text can tell it from others.
#pragma once

#include "sim/attacks/attack.h"

namespace harambee::attacks {

// Every byte b becomes 255 − b: what the model learns is wrong everywhere.
void turn_labels(std::span<std::uint32_t> row, Rng& rng);
// In half of the rows, at a random place: the trigger, then the target again and again.
void plant_trigger(std::span<std::uint32_t> row, Rng& rng);
inline constexpr std::string_view kTrigger = "@@";
inline constexpr std::string_view kTarget = "pwned ";

}  // namespace harambee::attacks

// For tests, lessons and demonstrations of the defence: what a dishonest volunteer sends.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "exact/codec.h"

namespace harambee::node {

enum class Misbehave {
  none,
  sign_flip,  // the opposite of its pseudo-gradient
  noise,      // random numbers of the same norm
  withhold,   // commits and never reveals
  malformed,  // bytes that are no delta
  // What no score shows, and an audit does:
  lazy,        // half of the inner steps, and says all
  other_data,  // trains on other shards than its own
  amplified,   // one and a half times its pseudo-gradient
};
[[nodiscard]] Result<Misbehave> parse_misbehave(const std::string& text);  // "sign-flip", …

// Whether it trains as asked and then sends something else.
[[nodiscard]] bool forges_delta(Misbehave how);
// What it sends then, as round_math.h's encode_contribution(): weights before and after, and the
// error feedback, which becomes the one after. All of one length.
[[nodiscard]] Result<Bytes> forged_delta(Misbehave how, const exact::Codec& codec,
                                         const exact::Provenance& provenance,
                                         std::span<const float> before,
                                         std::span<const float> trained,
                                         std::vector<float>& residual);

}  // namespace harambee::node

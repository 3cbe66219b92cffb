#include "node/volunteer.h"

namespace harambee::node {

Result<Misbehave> parse_misbehave(const std::string& text) {
  if (text == "none") return Misbehave::none;
  if (text == "sign-flip") return Misbehave::sign_flip;
  if (text == "noise") return Misbehave::noise;
  if (text == "withhold") return Misbehave::withhold;
  if (text == "malformed") return Misbehave::malformed;
  if (text == "lazy") return Misbehave::lazy;
  if (text == "other-data") return Misbehave::other_data;
  if (text == "amplified") return Misbehave::amplified;
  return invalid(
      "misbehaviour is one of none, sign-flip, noise, withhold, malformed, lazy, other-data, "
      "amplified");
}

}  // namespace harambee::node

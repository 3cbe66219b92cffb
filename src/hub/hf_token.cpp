#include "hub/hf_token.h"

#include "base/encoding.h"
#include "base/hash.h"

namespace harambee::hub {
namespace {

constexpr std::string_view kPrefix = "hrb_";
constexpr std::string_view kDomain = "harambee token v1\n";

}  // namespace

std::string new_token() {
  // A fresh secret key's text has 256 random bits.
  const Digest secret = sha256(view(SecretKey::generate().to_pem()));
  return std::string(kPrefix) + secret.hex();
}

std::optional<SecretKey> token_key(std::string_view text) {
  if (!text.starts_with(kPrefix) || !Digest::from_hex(text.substr(kPrefix.size()))) {
    return std::nullopt;
  }
  return SecretKey::from_seed(sha256({view(kDomain), view(text)}).bytes);
}

}  // namespace harambee::hub

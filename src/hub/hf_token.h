// Tokens: text that a person gives to Hugging Face tools, and that is a signing key
// (spec/huggingface.md §4). A hub keeps none of them: it derives the key from the request that
// brings the token, and forgets it with the answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/sign.h"

namespace harambee::hub {

// "hrb_" and 64 hex digits, from the operating system's random source.
[[nodiscard]] std::string new_token();
// The key of a token: its seed is SHA-256("harambee token v1\n" ‖ the text). None: no token.
[[nodiscard]] std::optional<SecretKey> token_key(std::string_view text);

}  // namespace harambee::hub

// What is asked of a language model over HTTP (OpenAI's completions and chat completions): read
// from a stranger, and only what is known here is ever passed on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::hub {

inline constexpr std::size_t kCompletionBodyBytesMax = 64u << 10;
inline constexpr std::size_t kCompletionTextBytesMax = 16u << 10;  // the prompt, or all messages
inline constexpr std::size_t kCompletionMessagesMax = 64;
inline constexpr std::int64_t kCompletionTokensMax = 1024;
inline constexpr std::int64_t kCompletionTokensDefault = 128;

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
  bool operator==(const ChatMessage&) const = default;
};

struct Completion {
  std::string prompt;                 // of a completion; chat: empty
  std::vector<ChatMessage> messages;  // of a chat; a completion has none
  std::int64_t tokens_max = kCompletionTokensDefault;
  double temperature = 0.8;  // 0 … 2
  std::optional<std::int64_t> seed;
  bool stream = false;
  bool operator==(const Completion&) const = default;
};

enum class CompletionKind { text, chat };

// Unknown members are left out; known ones of a wrong type or size are refused.
[[nodiscard]] Result<Completion> parse_completion(CompletionKind kind, View body);
// The body that a server is sent for it.
[[nodiscard]] std::string write_completion(const Completion& completion);

}  // namespace harambee::hub

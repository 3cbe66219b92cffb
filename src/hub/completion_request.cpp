#include "hub/completion_request.h"

#include "hub/wild_json.h"

namespace harambee::hub {
namespace {

constexpr int kDepthMax = 8;
constexpr double kTemperatureMax = 2;
constexpr std::int64_t kSeedMax = std::int64_t{1} << 53;

// The first of these members that is there and not null.
const Wild* member(const Wild& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto it = object.find(key);
    if (it != object.end() && !it->is_null()) return &*it;
  }
  return nullptr;
}

// A string, or the text parts of a list of them.
Result<std::string> content_of(const Wild& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return invalid("messages: content must be text");
  std::string text;
  for (const Wild& part : value) {
    const auto inner = part.is_object() ? part.find("text") : part.end();
    if (!part.is_object() || inner == part.end() || !inner->is_string()) {
      return invalid("messages: only parts of text");
    }
    text += inner->get<std::string>();
  }
  return text;
}

Status take_messages(const Wild& json, Completion& made) {
  const Wild* list = member(json, {"messages"});
  if (!list || !list->is_array() || list->empty() || list->size() > kCompletionMessagesMax) {
    return invalid("messages: must be a list of 1 to " + std::to_string(kCompletionMessagesMax));
  }
  std::size_t bytes = 0;
  for (const Wild& one : *list) {
    const Wild* role = one.is_object() ? member(one, {"role"}) : nullptr;
    const Wild* content = one.is_object() ? member(one, {"content"}) : nullptr;
    if (!role || !role->is_string() || !content) return invalid("messages: role or content");
    const auto name = role->get<std::string>();
    if (name != "system" && name != "user" && name != "assistant") {
      return invalid("messages: role must be system, user or assistant");
    }
    auto text = content_of(*content);
    if (!text) return text.error();
    bytes += text->size();
    made.messages.push_back({name, *std::move(text)});
  }
  if (bytes > kCompletionTextBytesMax) return fail(ErrorCode::limit, "messages: too long");
  return ok();
}

Status take_prompt(const Wild& json, Completion& made) {
  const Wild* prompt = member(json, {"prompt"});
  if (prompt && prompt->is_array() && prompt->size() == 1) prompt = &prompt->front();
  if (!prompt) return ok();
  if (!prompt->is_string()) return invalid("prompt: must be one text");
  made.prompt = prompt->get<std::string>();
  if (made.prompt.size() > kCompletionTextBytesMax)
    return fail(ErrorCode::limit, "prompt: too long");
  return ok();
}

Status take_numbers(const Wild& json, Completion& made) {
  if (const Wild* tokens = member(json, {"max_completion_tokens", "max_tokens"})) {
    if (!tokens->is_number_integer() || *tokens < 1) {
      return invalid("max_tokens: must be a whole number from 1");
    }
    made.tokens_max =
        *tokens > kCompletionTokensMax ? kCompletionTokensMax : tokens->get<std::int64_t>();
  }
  if (const Wild* temperature = member(json, {"temperature"})) {
    if (!temperature->is_number() || *temperature < 0 || *temperature > kTemperatureMax) {
      return invalid("temperature: must be from 0 to 2");
    }
    made.temperature = temperature->get<double>();
  }
  if (const Wild* seed = member(json, {"seed"})) {
    if (!seed->is_number_integer() || *seed > kSeedMax || *seed < -kSeedMax) {
      return invalid("seed: must be a whole number");
    }
    made.seed = seed->get<std::int64_t>();
  }
  if (const Wild* stream = member(json, {"stream"})) {
    if (!stream->is_boolean()) return invalid("stream: must be true or false");
    made.stream = stream->get<bool>();
  }
  return ok();
}

}  // namespace

Result<Completion> parse_completion(CompletionKind kind, View body) {
  if (body.size() > kCompletionBodyBytesMax) return fail(ErrorCode::limit, "too long");
  const Wild json = parse_wild(body, kDepthMax);
  if (!json.is_object()) return invalid("the body must be a JSON object");
  Completion made;
  const Status words =
      kind == CompletionKind::chat ? take_messages(json, made) : take_prompt(json, made);
  if (!words) return words.error();
  if (const Status numbers = take_numbers(json, made); !numbers) return numbers.error();
  return made;
}

std::string write_completion(const Completion& completion) {
  Wild json = {{"max_tokens", completion.tokens_max},
               {"temperature", completion.temperature},
               {"stream", completion.stream}};
  if (completion.seed) json["seed"] = *completion.seed;
  if (completion.messages.empty()) {
    json["prompt"] = completion.prompt;
  } else {
    json["messages"] = Wild::array();
    for (const ChatMessage& one : completion.messages) {
      json["messages"].push_back({{"role", one.role}, {"content", one.content}});
    }
  }
  return json.dump(-1, ' ', false, Wild::error_handler_t::replace);
}

}  // namespace harambee::hub

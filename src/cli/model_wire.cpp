#include "cli/model_wire.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/sign.h"
#include "hub/sample_text.h"

namespace harambee::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kPieceBytes = 24;        // written between two looks at the reader
constexpr std::size_t kPromptBytesMax = 4096;  // more than any context of a byte-level model here
constexpr auto kReplace = json::error_handler_t::replace;

std::string dump(const json& value) { return value.dump(-1, ' ', false, kReplace); }

WireResponse answer(int status, const json& body) {
  WireResponse response;
  response.status = status;
  response.headers = {{"content-type", "application/json"}};
  response.body = to_bytes(dump(body) + "\n");
  return response;
}

WireResponse refuse(int status, const std::string& message) {
  return answer(status, {{"error", {{"message", message}, {"type", "invalid_request_error"}}}});
}

Digest first_seed(const hub::Completion& asked) {
  if (!asked.seed) return sha256(view(SecretKey::generate().to_pem()));
  return sha256(view("harambee serve v1\n" + std::to_string(*asked.seed)));
}

// Delivers an answer as the network would.
Result<WireResponse> deliver(const WireRequest& request, WireResponse response) {
  if (!request.on_part) return response;
  if (!request.on_part(response.status, response.body)) {
    return fail(ErrorCode::cancelled, "nobody waits any more");
  }
  response.body.clear();
  return response;
}

// The objects of one completion, in pieces or as a whole.
struct Reply {
  std::string model;
  std::int64_t prompt_tokens = 0;

  [[nodiscard]] json object(std::string_view text, const char* reason) const {
    return {{"id", "cmpl-harambee"},
            {"object", "text_completion"},
            {"created", 0},
            {"model", model},
            {"choices", json::array({{{"index", 0},
                                      {"text", text},
                                      {"logprobs", nullptr},
                                      {"finish_reason", reason ? json(reason) : json(nullptr)}}})}};
  }
  [[nodiscard]] json whole(const Bytes& text) const {
    json made = object(harambee::text(text), "length");
    const auto tokens = static_cast<std::int64_t>(text.size());
    made["usage"] = {{"prompt_tokens", prompt_tokens},
                     {"completion_tokens", tokens},
                     {"total_tokens", prompt_tokens + tokens}};
    return made;
  }
};

}  // namespace

ModelWire::ModelWire(node::TrainerOptions options, const format::ModelConfig& model,
                     std::filesystem::path weights, std::string name)
    : weights_(std::move(weights)), name_(std::move(name)), trainer_(std::move(options), model) {}

Result<WireResponse> ModelWire::exchange(const WireRequest& request) {
  if (request.method == "GET" && request.url.ends_with("/v1/models")) {
    return deliver(request, answer(200, {{"object", "list"},
                                         {"data", json::array({{{"id", name_},
                                                                {"object", "model"},
                                                                {"created", 0},
                                                                {"owned_by", "harambee"}}})}}));
  }
  if (request.method == "POST" && request.url.ends_with("/v1/completions")) {
    return complete(request);
  }
  return deliver(request, refuse(404, "this model completes text; it knows no chat"));
}

// Each piece goes on from all that stands there, under a seed of its own.
Result<Bytes> ModelWire::next_piece(const hub::Completion& asked, const Digest& seed,
                                    const Bytes& so_far) {
  Bytes prompt = to_bytes(asked.prompt);
  prompt.insert(prompt.end(), so_far.begin(), so_far.end());
  if (prompt.size() > kPromptBytesMax) {
    prompt.erase(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(kPromptBytesMax));
  }
  const auto left = static_cast<std::size_t>(asked.tokens_max) - so_far.size();
  const Digest piece_seed = sha256({seed.view(), view(std::to_string(so_far.size()))});
  const Decimal temperature{static_cast<std::int64_t>(asked.temperature * 1e9)};
  const std::size_t wanted = std::min(left, kPieceBytes);
  const std::lock_guard lock(mutex_);
  auto piece = trainer_.generate(weights_, prompt, static_cast<std::int64_t>(wanted), temperature,
                                 piece_seed);
  if (piece && piece->size() > wanted) {
    return fail(ErrorCode::invalid, "the trainer wrote more than it was asked for");
  }
  return piece;
}

Result<WireResponse> ModelWire::complete(const WireRequest& request) {
  const auto asked = hub::parse_completion(hub::CompletionKind::text, request.body);
  if (!asked) return deliver(request, refuse(400, asked.error().message));
  const bool stream = asked->stream && request.on_part;
  const Digest seed = first_seed(*asked);
  const Reply reply{name_, static_cast<std::int64_t>(asked->prompt.size())};
  const auto send = [&](const std::string& data) {
    const std::string event = "data: " + data + "\n\n";
    return request.on_part(200, view(event));
  };
  Bytes text;
  std::size_t sent = 0;
  while (text.size() < static_cast<std::size_t>(asked->tokens_max)) {
    const auto piece = next_piece(*asked, seed, text);
    if (!piece) return piece.error();
    if (piece->empty()) return fail(ErrorCode::invalid, "the trainer wrote nothing");
    text.insert(text.end(), piece->begin(), piece->end());
    if (!stream) continue;
    const bool last = text.size() >= static_cast<std::size_t>(asked->tokens_max);
    const std::size_t ready = last ? text.size() : hub::whole_characters(text);
    if (ready <= sent && !last) continue;
    const View fresh(text.data() + sent, ready - sent);
    sent = ready;
    if (!send(dump(reply.object(harambee::text(fresh), last ? "length" : nullptr)))) {
      return fail(ErrorCode::cancelled, "nobody waits any more");
    }
  }
  if (!stream) return deliver(request, answer(200, reply.whole(text)));
  if (!send("[DONE]")) return fail(ErrorCode::cancelled, "nobody waits any more");
  WireResponse response;
  response.status = 200;
  return response;
}

}  // namespace harambee::cli

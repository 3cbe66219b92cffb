// A hub's way to a server of its model (llama-server, `harambee serve`, any that speaks OpenAI's
// API), so that people try the model on the dashboard under one origin. Only two questions are
// passed on, read and written anew (completion_request.h); everything else of that server stays
// out of reach. Off unless the hub's keeper names a server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hub/http.h"
#include "port/clock.h"
#include "port/wire.h"

namespace harambee::hub {

struct TryModelOptions {
  Wire* wire = nullptr;  // borrowed, as the clock; without one there is no model to try
  std::string url;       // "http://127.0.0.1:8081"; paths are added
  Clock* clock = nullptr;
  unsigned running_max = 2;  // questions at that server at the same time
  std::size_t waiting_max = 8;
  std::uint64_t answer_bytes_max = 1u << 20;
  std::int64_t answer_ms_max = 120'000;
};

class TryModel {
 public:
  // `wake` as make_hub()'s.
  TryModel(TryModelOptions options, std::function<void()> wake);
  ~TryModel();  // ends running exchanges at their next byte, or when they time out

  // How the body of a question is taken; none: not of this kind.
  [[nodiscard]] std::optional<BodyPlan> plan(const HttpRequest& head) const;
  // POST /v1/completions and /v1/chat/completions: streamed if the question says so. GET /view/try:
  // {"attached","chat","model"}, whether that server answers and has a chat template. None:
  // another path. Answers in the API's own form: {"error":{"message","type"}}.
  [[nodiscard]] std::optional<HttpResponse> handle(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// GET /view/try of a hub without a server.
[[nodiscard]] HttpResponse nothing_to_try();

}  // namespace harambee::hub

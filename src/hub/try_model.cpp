#include "hub/try_model.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/json.h"
#include "hub/completion_request.h"

namespace harambee::hub {
namespace {

constexpr std::int64_t kBeatMs = 500;       // how soon the end of a stream is seen
constexpr std::int64_t kLookMs = 10'000;    // how long what is known of the server is believed
constexpr std::int64_t kLookMsMax = 5'000;  // for the server to say who it is
constexpr std::uint64_t kPropsBytesMax = 1u << 20;
constexpr std::size_t kModelNameBytesMax = 200;
constexpr const char* kJsonType = "application/json";
constexpr const char* kStreamType = "text/event-stream; charset=utf-8";

HttpResponse no_store(HttpResponse response) {
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

HttpResponse api_error(int status, const std::string& message, const char* type) {
  const nlohmann::json json = {{"error", {{"message", message}, {"type", type}}}};
  HttpResponse response = no_store(HttpResponse::json(
      status, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  return response;
}

HttpResponse view_of(bool attached, bool chat, const std::string& model) {
  return no_store(HttpResponse::json(
      200,
      write(Json(JsonObject{{"attached", attached}, {"chat", chat}, {"model", model}})) + "\n"));
}

// One question on its way: the worker puts bytes in, the I/O thread takes them out.
struct Job {
  WireRequest request;
  std::string body;
  bool stream = false;
  std::atomic<bool> left = false;  // nobody waits for the answer any more

  std::mutex mutex;
  int status = 0;  // 0: nothing has come yet
  std::string arrived;
  bool done = false;
  std::optional<Error> failed;
};

// What the server says of itself, looked up now and then by a worker.
struct Server {
  bool attached = false;
  bool chat = false;
  std::string model;
};

std::string plain(std::string text) {
  std::erase_if(text, [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
  return text.substr(0, kModelNameBytesMax);
}

nlohmann::json ask(Wire& wire, const std::string& url) {
  WireRequest request;
  request.url = url;
  request.timeout_ms = kLookMsMax;
  request.response_bytes_max = kPropsBytesMax;
  const auto answer = wire.exchange(request);
  if (!answer || answer->status != 200) return nullptr;
  return nlohmann::json::parse(answer->body.begin(), answer->body.end(), nullptr, false);
}

Server look(Wire& wire, const std::string& url) {
  Server found;
  const nlohmann::json models = ask(wire, url + "/v1/models");
  if (!models.is_object() || !models.contains("data")) return found;
  found.attached = true;
  const nlohmann::json& list = models["data"];
  if (list.is_array() && !list.empty() && list[0].is_object()) {
    const auto id = list[0].find("id");
    if (id != list[0].end() && id->is_string()) found.model = plain(id->get<std::string>());
  }
  const nlohmann::json props = ask(wire, url + "/props");  // llama-server's
  if (props.is_object()) {
    const auto form = props.find("chat_template");
    found.chat =
        form != props.end() && form->is_string() && !form->get_ref<const std::string&>().empty();
  }
  return found;
}

}  // namespace

struct TryModel::State {
  TryModelOptions options;
  std::function<void()> wake;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Job>> waiting;
  std::vector<std::shared_ptr<Job>> running;
  bool stopping = false;
  bool wants_look = false;
  std::int64_t looked_ms = -kLookMs;
  std::optional<Server> server;
  std::vector<std::thread> threads;

  void work();
  void carry(Job& job);
  HttpResponse submit(CompletionKind kind, const HttpRequest& request);
  HttpResponse about();
};

void TryModel::State::carry(Job& job) {
  job.request.on_part = [this, &job](int status, View part) {
    {
      const std::lock_guard lock(job.mutex);
      job.status = status;
      job.arrived.append(text(part));
    }
    wake();
    return !job.left;
  };
  job.request.body = view(job.body);
  const auto answer = options.wire->exchange(job.request);
  {
    const std::lock_guard lock(job.mutex);
    job.done = true;
    if (answer) {
      job.status = answer->status;
    } else {
      job.failed = answer.error();
    }
  }
  wake();
}

void TryModel::State::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return stopping || wants_look || !waiting.empty(); });
    if (stopping) return;
    if (wants_look) {
      wants_look = false;
      lock.unlock();
      Server found = look(*options.wire, options.url);
      lock.lock();
      server = std::move(found);
      looked_ms = options.clock->steady_ms();
      wake();
      continue;
    }
    const std::shared_ptr<Job> job = std::move(waiting.front());
    waiting.pop_front();
    if (job->left) continue;
    running.push_back(job);
    lock.unlock();
    carry(*job);
    lock.lock();
    std::erase(running, job);
  }
}

namespace {

std::optional<HttpResponse> answer_of(const std::shared_ptr<Job>& job,
                                      const std::shared_ptr<void>& gone, std::int64_t ms_max,
                                      bool last) {
  const std::lock_guard lock(job->mutex);
  if (job->done && job->failed && job->arrived.empty()) {
    return api_error(502, "the model's server: " + job->failed->message, "server_error");
  }
  if (job->stream && job->status == 200) {
    Stream stream;
    stream.beat_ms = kBeatMs;
    stream.ms_max = ms_max;
    stream.next = [job, gone](bool beat) -> std::string {
      const std::lock_guard now(job->mutex);
      if (!job->arrived.empty()) return std::exchange(job->arrived, {});
      return beat && !job->done ? ": still at it\n\n" : "";
    };
    HttpResponse response = no_store(HttpResponse{});
    response.headers.emplace_back("Content-Type", kStreamType);
    response.headers.emplace_back("X-Accel-Buffering", "no");
    response.body = std::move(stream);
    return response;
  }
  if (!job->done) {
    if (last) return api_error(503, "the model did not answer in time", "server_error");
    return std::nullopt;
  }
  HttpResponse response = no_store(HttpResponse::text(job->status, job->arrived, kJsonType));
  return response;
}

}  // namespace

HttpResponse TryModel::State::submit(CompletionKind kind, const HttpRequest& request) {
  const auto asked = parse_completion(kind, request.body);
  if (!asked) return api_error(400, asked.error().message, "invalid_request_error");
  auto job = std::make_shared<Job>();
  job->stream = asked->stream;
  job->body = write_completion(*asked);
  job->request.method = "POST";
  job->request.url =
      options.url + (kind == CompletionKind::chat ? "/v1/chat/completions" : "/v1/completions");
  job->request.headers = {{"Content-Type", kJsonType}};
  job->request.timeout_ms = options.answer_ms_max;
  job->request.response_bytes_max = options.answer_bytes_max;
  {
    const std::lock_guard lock(mutex);
    std::erase_if(waiting, [](const auto& one) { return one->left.load(); });
    if (waiting.size() >= options.waiting_max) {
      return api_error(503, "too many questions are waiting for this model", "server_error");
    }
    waiting.push_back(job);
  }
  changed.notify_one();
  // Lives as long as the server keeps the answer, in any of its forms.
  const std::shared_ptr<void> gone(nullptr, [job](void*) { job->left = true; });
  Wait wait;
  wait.ms_max = options.answer_ms_max;
  wait.again = [job, gone, ms = options.answer_ms_max](bool last) {
    return answer_of(job, gone, ms, last);
  };
  HttpResponse response;
  response.body = std::move(wait);
  return response;
}

HttpResponse TryModel::State::about() {
  {
    const std::lock_guard lock(mutex);
    if (options.clock->steady_ms() - looked_ms < kLookMs && server) {
      return view_of(server->attached, server->chat, server->model);
    }
    server.reset();
    wants_look = true;
  }
  changed.notify_one();
  Wait wait;
  wait.ms_max = 2 * kLookMsMax;
  wait.again = [this](bool last) -> std::optional<HttpResponse> {
    const std::lock_guard lock(mutex);
    if (server) return view_of(server->attached, server->chat, server->model);
    return last ? std::optional(view_of(false, false, "")) : std::nullopt;
  };
  HttpResponse response;
  response.body = std::move(wait);
  return response;
}

TryModel::TryModel(TryModelOptions options, std::function<void()> wake)
    : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  state_->wake = std::move(wake);
  for (unsigned i = 0; i < state_->options.running_max; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
  }
}

TryModel::~TryModel() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    for (const auto& job : state_->running) job->left = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

std::optional<BodyPlan> TryModel::plan(const HttpRequest& head) const {
  const std::string_view path = head.path();
  if (head.method != "POST" || (path != "/v1/completions" && path != "/v1/chat/completions")) {
    return std::nullopt;
  }
  BodyPlan plan;
  plan.bytes_max = kCompletionBodyBytesMax;
  return plan;
}

std::optional<HttpResponse> TryModel::handle(const HttpRequest& request) {
  const std::string_view path = request.path();
  if (request.method == "POST" && path == "/v1/completions") {
    return state_->submit(CompletionKind::text, request);
  }
  if (request.method == "POST" && path == "/v1/chat/completions") {
    return state_->submit(CompletionKind::chat, request);
  }
  if (request.method == "GET" && path == "/view/try") return state_->about();
  return std::nullopt;
}

HttpResponse nothing_to_try() { return view_of(false, false, ""); }

}  // namespace harambee::hub

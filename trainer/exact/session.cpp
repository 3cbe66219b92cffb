#include <chrono>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "trainer/exact/protocol.h"

namespace harambee::trainer {
namespace {

using Reply = nlohmann::ordered_json;

Reply reply(const char* op, const Request& request) {
  Reply r;
  r["op"] = op;
  if (request.id) r["id"] = *request.id;
  return r;
}

// Messages may quote what came in: whatever is not UTF-8 there is replaced.
std::string line_of(const Reply& reply) {
  return reply.dump(-1, ' ', false, Reply::error_handler_t::replace);
}

}  // namespace

Session::Session(const SessionOptions& options, Send send)
    : options_(options), send_(std::move(send)) {}

bool Session::error(const std::optional<std::int64_t>& id, const std::string& message) {
  Reply r;
  r["op"] = "error";
  if (id) r["id"] = *id;
  r["message"] = message;
  return send_(line_of(r));
}

bool Session::refuse_long_line() { return error(std::nullopt, "the line is too long"); }

std::string Session::path(const std::string& path) const {
  return path.starts_with('/') || dir_.empty() ? path : dir_ + "/" + path;
}

bool Session::handle(std::string_view line) {
  const Result<Request> request = parse_request(line);
  if (!request) return error(request_id(line), request.error().message);
  const bool needs_model = !std::holds_alternative<HelloRequest>(request->body) &&
                           !std::holds_alternative<ByeRequest>(request->body);
  if (needs_model && !trainer_) return error(request->id, "say hello first");
  return std::visit([&](const auto& body) { return run(*request, body); }, request->body);
}

bool Session::run(const Request& request, const HelloRequest& hello) {
  ModelOptions options;
  options.kernels = options_.kernels;
  options.threads = options_.threads ? options_.threads
                    : hello.threads  ? hello.threads
                                     : options_.processors;
  options.memory_bytes_max = options_.memory_bytes_max;
  // The old model goes first: two at once might not fit.
  trainer_.reset();
  Result<std::unique_ptr<Trainer>> made = Trainer::make(hello.model, options);
  if (!made) return error(request.id, made.error().message);
  trainer_ = std::move(*made);
  dir_ = hello.dir;
  Reply r = reply("hello", request);
  r["protocol"] = kProtocolVersion;
  r["name"] = "harambee-trainer";
  r["version"] = HARAMBEE_VERSION;
  r["class"] = "exact-1";
  r["parameters"] = trainer_->model().layout().parameters();
  r["device"] = std::string("cpu, ") + name(trainer_->model().kernels().simd) + ", " +
                std::to_string(options.threads) + (options.threads == 1 ? " thread" : " threads");
  return send_(line_of(r));
}

bool Session::run(const Request& request, const InitRequest& init) {
  const std::string out = path(init.out);
  const Result<Digest> weights = trainer_->init(init.seed, out);
  if (!weights) return error(request.id, weights.error().message);
  Reply r = reply("done", request);
  r["weights"] = out;
  r["weights_digest"] = weights->hex();
  return send_(line_of(r));
}

bool Session::run(const Request& request, const TrainRequest& train) {
  TrainTask task = train.task;
  for (std::string* p : {&task.base, &task.out, &task.state_out}) *p = path(*p);
  for (std::string& shard : task.shards) shard = path(shard);
  if (task.state) task.state = path(*task.state);
  const auto begin = std::chrono::steady_clock::now();
  bool heard = true;
  const auto report = [&](const StepReport& step) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    Reply r = reply("progress", request);
    r["step"] = step.step;
    r["loss"] = nano_nats(step.loss);
    r["tokens"] = step.tokens;
    r["tokens_per_second"] =
        static_cast<std::int64_t>(static_cast<double>(step.tokens) / (seconds + 1e-9));
    heard = send_(line_of(r));
    return heard;
  };
  const Result<TrainResult> result = trainer_->train(task, report);
  if (!heard) return false;
  if (!result) return error(request.id, result.error().message);
  Reply r = reply("done", request);
  r["steps"] = result->steps;
  r["tokens"] = result->tokens;
  r["loss_first"] = result->loss_first;
  r["loss_last"] = result->loss_last;
  r["weights"] = task.out;
  r["weights_digest"] = result->weights.hex();
  r["state"] = task.state_out;
  r["state_digest"] = result->state.hex();
  return send_(line_of(r));
}

bool Session::run(const Request& request, const EvaluateRequest& evaluate) {
  std::vector<std::string> files;
  for (const std::string& file : evaluate.files) files.push_back(path(file));
  const auto nanos = trainer_->evaluate(path(evaluate.weights), files, evaluate.offsets);
  if (!nanos) return error(request.id, nanos.error().message);
  Reply r = reply("losses", request);
  r["nanos"] = *nanos;
  return send_(line_of(r));
}

bool Session::run(const Request& request, const GenerateRequest& generate) {
  const Result<Bytes> text = trainer_->generate(
      path(generate.weights), generate.prompt, generate.bytes, generate.temperature, generate.seed);
  if (!text) return error(request.id, text.error().message);
  Reply r = reply("text", request);
  r["text"] = base64(*text);
  return send_(line_of(r));
}

bool Session::run(const Request&, const ByeRequest&) { return false; }

}  // namespace harambee::trainer

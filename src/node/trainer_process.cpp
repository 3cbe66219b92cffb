#include "node/trainer_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <system_error>
#include <utility>

#include "base/encoding.h"
#include "base/json.h"
#include "fold/acts.h"
#include "node/child_process.h"
#include "node/trainer_reply.h"
#include "store/file.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using Op = TrainerReply::Op;

constexpr std::int64_t kProtocol = 1;
constexpr std::size_t kFilesMax = 65'536;

Error against_protocol(const std::string& what) {
  return invalid("the trainer answered against the protocol: " + what);
}

JsonArray paths_json(const std::vector<fs::path>& paths) {
  JsonArray array;
  for (const fs::path& path : paths) array.emplace_back(fs::absolute(path).string());
  return array;
}

Error said(const TrainerReply& error) {
  return fail(ErrorCode::refused, "the trainer says: " + error.message);
}

// The "inner" object as the recipe writes it.
Json inner_json(const fold::InnerRule& inner) {
  fold::Recipe recipe = fold::default_recipe();
  recipe.inner = inner;
  return *fold::to_json(recipe).find("inner");
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

Error wrong_weights(const fs::path& file, const std::string& what) {
  return invalid(fmt::format("{} is not a weights file of this model: {}", file.string(), what));
}

// The tensors of a file that is not in canonical form, in the layout's order.
Result<std::vector<float>> gather(const format::ModelLayout& layout, const fs::path& file,
                                  View bytes) {
  const auto parsed = format::parse_safetensors(bytes);
  if (!parsed) return wrong_weights(file, parsed.error().message);
  if (parsed->tensors.size() != layout.tensors().size()) {
    return wrong_weights(file, fmt::format("{} tensors instead of {}", parsed->tensors.size(),
                                           layout.tensors().size()));
  }
  std::vector<float> parameters(layout.parameters());
  for (const format::TensorPlace& place : layout.tensors()) {
    const format::Tensor* tensor = parsed->find(place.name);
    if (!tensor) return wrong_weights(file, "no tensor " + place.name);
    if (tensor->dtype != "F32") return wrong_weights(file, place.name + " is not F32");
    if (tensor->shape != place.shape || tensor->data.size() != 4 * place.size) {
      return wrong_weights(file, place.name + " has another shape");
    }
    std::copy_n(tensor->data.data(), tensor->data.size(),
                reinterpret_cast<std::uint8_t*>(parameters.data() + place.offset));
  }
  return parameters;
}

}  // namespace

std::string default_trainer() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = self.parent_path() / "harambee-trainer";
  if (!error && ::access(beside.c_str(), X_OK) == 0) return beside.string();
  return "harambee-trainer";
}

Result<Digest> canonicalize_weights(const fs::path& file, const format::ModelConfig& model) {
  const auto layout = format::ModelLayout::make(model);
  if (!layout) return layout.error();
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (error) return wrong_weights(file, error.message());
  if (size > layout->file_bytes() + (16u << 20)) return wrong_weights(file, "it is too large");
  if (size == 0) return wrong_weights(file, "it is empty");
  // Read, not mapped: the trainer is a program of its own and may still write to its file.
  const auto bytes = store::read_file(file.string(), layout->file_bytes() + (16u << 20));
  if (!bytes) return bytes.error();
  if (const auto flat = format::flat_weights(*layout, *bytes); flat) {
    if (!all_finite(*flat)) return wrong_weights(file, "it holds NaN or infinity");
    return sha256(*bytes);
  }
  const auto parameters = gather(*layout, file, *bytes);
  if (!parameters) return parameters.error();
  if (!all_finite(*parameters)) return wrong_weights(file, "it holds NaN or infinity");
  const Bytes canonical = format::weights_file(*layout, *parameters);
  if (Status kept = store::write_file_atomic(file.string(), canonical); !kept) return kept.error();
  return sha256(canonical);
}

struct TrainerProcess::Impl {
  TrainerOptions options;
  format::ModelConfig model;
  std::unique_ptr<ChildProcess> child;
  TrainerHello greeting;
  std::int64_t next_id = 1;

  Status start();
  Status greet();
  Result<TrainerReply> read();
  Result<TrainerReply> request(JsonObject object, Op answer,
                               const std::function<bool(const TrainerReply&)>& on_progress);
  Result<TrainDone> take(const TrainRequest& request, const TrainerReply& reply);
  Error broken(Error error) {
    child.reset();
    return error;
  }
};

Status TrainerProcess::Impl::start() {
  if (child && child->pid() != 0) return ok();
  if (options.argv.empty()) options.argv = {default_trainer()};
  if (Status made = store::make_folders(options.dir.string()); !made) return made;
  auto started = ChildProcess::start(
      options.argv, options.dir / "trainer.log",
      ChildLimits{options.stall_ms, options.line_bytes_max, options.keep_going});
  if (!started) return started.error();
  child = std::move(*started);
  return ok();
}

Result<TrainerReply> TrainerProcess::Impl::read() {
  const auto line = child->read_line();
  if (!line) return broken(line.error());
  auto reply = parse_trainer_reply(*line);
  if (!reply) return broken(reply.error());
  return reply;
}

Status TrainerProcess::Impl::greet() {
  const bool running = child && child->pid() != 0;
  if (running) return ok();
  if (Status started = start(); !started) return started;
  const JsonObject hello{{"dir", fs::absolute(options.dir).string()},
                         {"model", format::to_json(model)},
                         {"op", "hello"},
                         {"protocol", kProtocol},
                         {"threads", options.threads}};
  if (Status sent = child->write_line(write(Json(hello))); !sent) return broken(sent.error());
  const auto reply = read();
  if (!reply) return reply.error();
  if (reply->op == Op::error) return broken(said(*reply));
  if (reply->op != Op::hello) return broken(against_protocol("no hello"));
  if (reply->protocol != kProtocol) return broken(against_protocol("another protocol"));
  greeting = {reply->name, reply->version, reply->numeric_class, reply->device, reply->parameters};
  return ok();
}

// Sends a request and reads up to the reply `answer` to it.
Result<TrainerReply> TrainerProcess::Impl::request(
    JsonObject object, Op answer, const std::function<bool(const TrainerReply&)>& on_progress) {
  if (Status greeted = greet(); !greeted) return greeted.error();
  const std::int64_t id = next_id++;
  object["id"] = id;
  if (Status sent = child->write_line(write(Json(std::move(object)))); !sent) {
    return broken(sent.error());
  }
  for (;;) {
    auto reply = read();
    if (!reply) return reply;
    if (reply->op == Op::error) return said(*reply);
    if (reply->id != id) return broken(against_protocol("an answer to nothing"));
    if (reply->op == answer) return reply;
    if (reply->op != Op::progress || !on_progress) {
      return broken(against_protocol("an answer to another question"));
    }
    if (!on_progress(*reply)) return broken(fail(ErrorCode::cancelled, "training was stopped"));
  }
}

TrainerProcess::TrainerProcess(TrainerOptions options, const format::ModelConfig& model)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->model = model;
}

TrainerProcess::~TrainerProcess() {
  if (!running()) return;
  // A short good-bye; the destructor of the child does the rest.
  impl_->options.keep_going = {};
  static_cast<void>(impl_->child->write_line(R"({"op":"bye"})"));
}

bool TrainerProcess::running() const { return impl_->child && impl_->child->pid() != 0; }
int TrainerProcess::pid() const { return impl_->child ? impl_->child->pid() : 0; }

Result<TrainerHello> TrainerProcess::hello() {
  if (Status greeted = impl_->greet(); !greeted) return greeted.error();
  return impl_->greeting;
}

Status TrainerProcess::init(const Digest& seed, const fs::path& out) {
  const auto reply = impl_->request(
      JsonObject{{"op", "init"}, {"out", fs::absolute(out).string()}, {"seed", seed.hex()}},
      Op::done, {});
  if (!reply) return reply.error();
  const auto digest = canonicalize_weights(out, impl_->model);
  return digest ? ok() : Status(digest.error());
}

Result<TrainDone> TrainerProcess::train(
    const TrainRequest& request, const std::function<bool(const TrainProgress&)>& on_progress) {
  JsonObject object{{"base", fs::absolute(request.base).string()},
                    {"first_step", request.first_step},
                    {"inner", inner_json(request.inner)},
                    {"op", "train"},
                    {"out", fs::absolute(request.out).string()},
                    {"seed", request.seed.hex()},
                    {"shards", paths_json(request.shards)},
                    {"state", nullptr},
                    {"state_out", fs::absolute(request.state_out).string()},
                    {"total_steps", request.total_steps}};
  if (request.state) object["state"] = fs::absolute(*request.state).string();
  // What an earlier request may have left must not pass for this one's work.
  std::error_code error;
  fs::remove(request.out, error);
  fs::remove(request.state_out, error);
  const auto reply =
      impl_->request(std::move(object), Op::done, [&on_progress](const TrainerReply& line) {
        return !on_progress || on_progress(TrainProgress{line.step, line.loss_nanos, line.tokens,
                                                         line.tokens_per_second});
      });
  if (!reply) return reply.error();
  auto done = impl_->take(request, *reply);
  if (!done) return impl_->broken(done.error());
  return done;
}

// What the trainer left, checked against what it says of it.
Result<TrainDone> TrainerProcess::Impl::take(const TrainRequest& request,
                                             const TrainerReply& reply) {
  if (!reply.trained || reply.step != request.inner.steps) {
    return against_protocol("other \"steps\" than were asked for");
  }
  if (reply.tokens != reply.step * request.inner.batch * model.context) {
    return against_protocol("\"tokens\" is not steps x batch x context");
  }
  const auto weights = canonicalize_weights(request.out, model);
  if (!weights) return weights.error();
  const auto layout = format::ModelLayout::make(model);
  if (!layout) return layout.error();
  const auto state = store::read_file(request.state_out.string(), 64 * layout->file_bytes());
  if (!state) return against_protocol("the state file: " + state.error().message);
  const Digest digest = sha256(*state);
  if (reply.state_digest != digest.hex()) {
    return against_protocol("\"state_digest\" is not the state file's");
  }
  return TrainDone{reply.step, reply.tokens, reply.loss_first_nanos, reply.loss_last_nanos, digest};
}

Result<std::vector<std::int64_t>> TrainerProcess::evaluate(
    const fs::path& weights, const std::vector<fs::path>& files,
    const std::vector<std::uint64_t>& offsets) {
  if (files.empty() || files.size() > kFilesMax || offsets.empty()) {
    return invalid("nothing to evaluate");
  }
  JsonArray places;
  for (const std::uint64_t offset : offsets) places.emplace_back(offset);
  const auto reply = impl_->request(JsonObject{{"files", paths_json(files)},
                                               {"offsets", std::move(places)},
                                               {"op", "evaluate"},
                                               {"weights", fs::absolute(weights).string()}},
                                    Op::losses, {});
  if (!reply) return reply.error();
  if (reply->nanos.size() != offsets.size()) {
    return impl_->broken(against_protocol("not one loss for each row"));
  }
  return reply->nanos;
}

Result<Bytes> TrainerProcess::generate(const fs::path& weights, View prompt, std::int64_t bytes,
                                       const Decimal& temperature, const Digest& seed) {
  const auto reply = impl_->request(JsonObject{{"bytes", bytes},
                                               {"op", "generate"},
                                               {"prompt", base64(prompt)},
                                               {"seed", seed.hex()},
                                               {"temperature", temperature.str()},
                                               {"weights", fs::absolute(weights).string()}},
                                    Op::text, {});
  if (!reply) return reply.error();
  return reply->text;
}

Status TrainerProcess::bye() {
  if (!running()) return ok();
  if (Status sent = impl_->child->write_line(R"({"op":"bye"})"); !sent) {
    return impl_->broken(sent.error());
  }
  Status ended = impl_->child->wait();
  impl_->child.reset();
  return ended;
}

Result<std::string> TrainerProcess::exchange_line(const std::string& line) {
  if (Status started = impl_->greet(); !started) return started.error();
  if (Status sent = impl_->child->write_line(line); !sent) return impl_->broken(sent.error());
  auto reply = impl_->child->read_line();
  if (!reply) return impl_->broken(reply.error());
  return reply;
}

}  // namespace harambee::node

// Lines to requests: pure, total, no exception leaves it.
#include <nlohmann/json.hpp>
#include <string>

#include "base/encoding.h"
#include "trainer/exact/protocol.h"

namespace harambee::trainer {
namespace {

using Value = nlohmann::json;

constexpr int kDepthMax = 8;

// The house's own JSON value, which the recipe's parsers take.
Result<Json> house_json(const Value& value, int depth) {
  if (depth > kDepthMax) return invalid("nested too deeply");
  if (value.is_null()) return Json(nullptr);
  if (value.is_boolean()) return Json(value.get<bool>());
  if (value.is_number_integer()) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > kJsonIntegerMax) {
      return invalid("an integer is too large");
    }
    return Json(value.get<std::int64_t>());
  }
  if (value.is_string()) return Json(value.get<std::string>());
  if (!value.is_object()) return invalid("only objects, strings, integers and booleans here");
  JsonObject object;
  for (const auto& [key, member] : value.items()) {
    Result<Json> inner = house_json(member, depth + 1);
    if (!inner) return inner.error();
    object.emplace(key, std::move(*inner));
  }
  return Json(std::move(object));
}

Result<Json> object_of(const Value& line, const char* key) {
  const auto it = line.find(key);
  if (it == line.end() || !it->is_object()) return invalid(std::string(key) + " must be an object");
  Result<Json> json = house_json(*it, 0);
  return json ? std::move(json) : Result<Json>(wrap(json.error(), key));
}

Result<std::string> string_of(const Value& line, const char* key, std::size_t bytes_max) {
  const auto it = line.find(key);
  if (it == line.end() || !it->is_string()) return invalid(std::string(key) + " must be a string");
  const auto& text = it->get_ref<const std::string&>();
  if (text.size() > bytes_max) return fail(ErrorCode::limit, std::string(key) + " is too long");
  return text;
}

Result<std::string> path_of(const Value& value, const char* key) {
  if (!value.is_string()) return invalid(std::string(key) + " must be a path");
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty() || text.size() > kPathBytesMax || text.find('\0') != std::string::npos) {
    return invalid(std::string(key) + " is no path");
  }
  return text;
}

Result<std::string> path_member(const Value& line, const char* key) {
  const auto it = line.find(key);
  if (it == line.end()) return invalid(std::string(key) + " is missing");
  return path_of(*it, key);
}

Result<std::vector<std::string>> paths_of(const Value& line, const char* key) {
  const auto it = line.find(key);
  if (it == line.end() || !it->is_array() || it->empty()) {
    return invalid(std::string(key) + " must be a list of paths");
  }
  if (it->size() > kShardFilesMax) return fail(ErrorCode::limit, std::string("too many ") + key);
  std::vector<std::string> paths;
  for (const Value& value : *it) {
    Result<std::string> path = path_of(value, key);
    if (!path) return path.error();
    paths.push_back(std::move(*path));
  }
  return paths;
}

Result<std::uint64_t> number_of(const Value& line, const char* key, std::uint64_t number_max) {
  const auto it = line.find(key);
  if (it == line.end() || !it->is_number_unsigned() || it->get<std::uint64_t>() > number_max) {
    return invalid(std::string(key) + " must be an integer in [0, " + std::to_string(number_max) +
                   "]");
  }
  return it->get<std::uint64_t>();
}

Result<Digest> digest_of(const Value& line, const char* key) {
  const Result<std::string> text = string_of(line, key, 64);
  if (!text) return text.error();
  Result<Digest> digest = Digest::from_hex(*text);
  return digest ? std::move(digest) : Result<Digest>(wrap(digest.error(), key));
}

using Body = decltype(Request::body);

Result<Body> parse_hello(const Value& line) {
  if (const auto version = number_of(line, "protocol", 1'000); !version) return version.error();
  if (line["protocol"] != kProtocolVersion) {
    return fail(ErrorCode::refused, "this trainer speaks protocol 1 only");
  }
  HelloRequest hello;
  const Result<Json> json = object_of(line, "model");
  if (!json) return json.error();
  const Result<format::ModelConfig> model = format::model_from_json(*json);
  if (!model) return model.error();
  hello.model = *model;
  if (line.contains("threads")) {
    const auto threads = number_of(line, "threads", Pool::kThreadsMax);
    if (!threads) return threads.error();
    hello.threads = static_cast<std::uint32_t>(*threads);
  }
  if (line.contains("dir")) {
    Result<std::string> dir = path_member(line, "dir");
    if (!dir) return dir.error();
    hello.dir = std::move(*dir);
  }
  return Body(std::move(hello));
}

Result<Body> parse_init(const Value& line) {
  const Result<Digest> seed = digest_of(line, "seed");
  if (!seed) return seed.error();
  const Result<std::string> out = path_member(line, "out");
  if (!out) return out.error();
  return Body(InitRequest{*seed, *out});
}

Result<Body> parse_train(const Value& line) {
  TrainTask task;
  for (const auto& [key, member] :
       {std::pair{"base", &task.base}, {"out", &task.out}, {"state_out", &task.state_out}}) {
    Result<std::string> path = path_member(line, key);
    if (!path) return path.error();
    *member = std::move(*path);
  }
  if (const auto it = line.find("state"); it != line.end() && !it->is_null()) {
    Result<std::string> path = path_of(*it, "state");
    if (!path) return path.error();
    task.state = std::move(*path);
  }
  Result<std::vector<std::string>> shards = paths_of(line, "shards");
  if (!shards) return shards.error();
  task.shards = std::move(*shards);
  const Result<Digest> seed = digest_of(line, "seed");
  if (!seed) return seed.error();
  task.seed = *seed;
  const auto first = number_of(line, "first_step", kJsonIntegerMax);
  if (!first) return first.error();
  const auto total = number_of(line, "total_steps", kJsonIntegerMax);
  if (!total) return total.error();
  task.first_step = *first;
  task.total_steps = *total;
  const Result<Json> json = object_of(line, "inner");
  if (!json) return json.error();
  const Result<InnerConfig> inner = inner_from_json(*json);
  if (!inner) return inner.error();
  task.inner = *inner;
  return Body(TrainRequest{std::move(task)});
}

Result<Body> parse_evaluate(const Value& line) {
  EvaluateRequest evaluate;
  Result<std::string> weights = path_member(line, "weights");
  if (!weights) return weights.error();
  evaluate.weights = std::move(*weights);
  Result<std::vector<std::string>> files = paths_of(line, "files");
  if (!files) return files.error();
  evaluate.files = std::move(*files);
  const auto it = line.find("offsets");
  if (it == line.end() || !it->is_array()) return invalid("offsets must be a list of integers");
  if (it->size() > kEvaluateRowsMax) return fail(ErrorCode::limit, "too many offsets");
  for (const Value& value : *it) {
    if (!value.is_number_unsigned()) return invalid("offsets must be a list of integers");
    evaluate.offsets.push_back(value.get<std::uint64_t>());
  }
  return Body(std::move(evaluate));
}

Result<Body> parse_generate(const Value& line) {
  GenerateRequest generate;
  Result<std::string> weights = path_member(line, "weights");
  if (!weights) return weights.error();
  generate.weights = std::move(*weights);
  const Result<std::string> prompt = string_of(line, "prompt", 1u << 20);
  if (!prompt) return prompt.error();
  Result<Bytes> bytes = from_base64(*prompt);
  if (!bytes) return wrap(bytes.error(), "prompt");
  generate.prompt = std::move(*bytes);
  const auto count = number_of(line, "bytes", kGenerateBytesMax);
  if (!count) return count.error();
  generate.bytes = *count;
  const Result<std::string> temperature = string_of(line, "temperature", 32);
  if (!temperature) return temperature.error();
  const Result<Decimal> decimal = Decimal::parse(*temperature);
  if (!decimal || decimal->nanos < 0 || decimal->nanos > 100'000'000'000) {
    return invalid("temperature must be a decimal string in [0, 100]");
  }
  // Below a thousandth nothing but the likeliest byte has weight.
  generate.temperature = decimal->nanos < 1'000'000 ? 0 : decimal->to_double();
  const Result<Digest> seed = digest_of(line, "seed");
  if (!seed) return seed.error();
  generate.seed = *seed;
  return Body(std::move(generate));
}

Result<Body> parse_body(const std::string& op, const Value& line) {
  if (op == "hello") return parse_hello(line);
  if (op == "init") return parse_init(line);
  if (op == "train") return parse_train(line);
  if (op == "evaluate") return parse_evaluate(line);
  if (op == "generate") return parse_generate(line);
  if (op == "bye") return Body(ByeRequest{});
  return invalid("unknown op");
}

std::optional<std::int64_t> id_of(const Value& line) {
  if (!line.is_object()) return std::nullopt;
  const auto it = line.find("id");
  if (it == line.end() || !it->is_number_integer()) return std::nullopt;
  if (it->is_number_unsigned() && it->get<std::uint64_t>() > kJsonIntegerMax) return std::nullopt;
  return it->get<std::int64_t>();
}

// Depth is bounded before a tree is built, so that nobody can make us recurse.
Value parse_line(std::string_view line) {
  const auto depth_ok = [](int depth, Value::parse_event_t, Value&) { return depth <= kDepthMax; };
  return Value::parse(line, depth_ok, /*allow_exceptions=*/false);
}

}  // namespace

std::optional<std::int64_t> request_id(std::string_view line) {
  if (line.size() > kLineBytesMax) return std::nullopt;
  return id_of(parse_line(line));
}

Result<Request> parse_request(std::string_view line) {
  if (line.size() > kLineBytesMax) return fail(ErrorCode::limit, "the line is too long");
  const Value value = parse_line(line);
  if (!value.is_object()) return invalid("not a JSON object");
  const Result<std::string> op = string_of(value, "op", 32);
  if (!op) return op.error();
  Result<Body> body = parse_body(*op, value);
  if (!body) return wrap(body.error(), *op);
  return Request{id_of(value), std::move(*body)};
}

}  // namespace harambee::trainer

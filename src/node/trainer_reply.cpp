#include "node/trainer_reply.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.h"
#include "base/json.h"
#include "fold/acts.h"

namespace harambee::node {
namespace {

using Object = nlohmann::json;

constexpr std::size_t kTextBytesMax = 500;  // of a name or message

Error against_protocol(const std::string& what) {
  return invalid("the trainer answered against the protocol: " + what);
}

// Printable, and not too much of it.
std::string tame(std::string_view text) {
  std::string out(text.substr(0, kTextBytesMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

// Collects members of one reply; remembers the first that was missing or wrong.
class Members {
 public:
  explicit Members(const Object& object) : object_(object) {}

  std::string text(const char* key) {
    const std::string* found = string(key);
    if (!found) miss(key);
    return found ? tame(*found) : std::string();
  }
  std::string text_or_nothing(const char* key) const {
    const std::string* found = string(key);
    return found ? tame(*found) : std::string();
  }
  const std::string* string(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_string()) return nullptr;
    return found->get_ptr<const std::string*>();
  }
  std::int64_t integer(const char* key, std::int64_t low, std::int64_t high) {
    const auto found = object_.find(key);
    if (found == object_.end()) return miss(key), 0;
    const auto value = integer_of(*found, low, high);
    return value ? *value : (miss(key), 0);
  }
  std::int64_t count(const char* key) { return integer(key, 0, kJsonIntegerMax); }
  std::int64_t loss(const char* key) { return integer(key, -fold::kNanosMax, fold::kNanosMax); }
  // Any number, or zero: only shown.
  std::int64_t rough(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_number()) return 0;
    const double value = found->get<double>();
    return std::abs(value) < 9e15 ? static_cast<std::int64_t>(value) : 0;
  }
  // Nats as a fraction, or nano-nats as an integer.
  std::int64_t rough_loss(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_number_float()) return rough(key);
    const double nats = found->get<double>();
    return std::abs(nats) < 1e6 ? static_cast<std::int64_t>(nats * 1e9) : 0;
  }
  std::vector<std::int64_t> losses(const char* key) {
    std::vector<std::int64_t> out;
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_array()) return miss(key), out;
    for (const Object& element : *found) {
      const auto value = integer_of(element, -fold::kNanosMax, fold::kNanosMax);
      if (!value) return miss(key), out;
      out.push_back(*value);
    }
    return out;
  }
  Bytes base64(const char* key) {
    const std::string* found = string(key);
    auto bytes = found ? from_base64(*found) : Result<Bytes>(invalid(""));
    if (!bytes) return miss(key), Bytes();
    return *bytes;
  }
  void miss(const char* key) {
    if (missed_.empty()) missed_ = key;
  }
  [[nodiscard]] const std::string& missed() const { return missed_; }

 private:
  static std::optional<std::int64_t> integer_of(const Object& value, std::int64_t low,
                                                std::int64_t high) {
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(kJsonIntegerMax)) {
      return std::nullopt;
    }
    const auto number = value.get<std::int64_t>();
    if (number < low || number > high) return std::nullopt;
    return number;
  }
  const Object& object_;
  std::string missed_;
};

std::optional<TrainerReply::Op> op_of(const std::string& name) {
  using Op = TrainerReply::Op;
  if (name == "hello") return Op::hello;
  if (name == "progress") return Op::progress;
  if (name == "done") return Op::done;
  if (name == "losses") return Op::losses;
  if (name == "text") return Op::text;
  if (name == "error") return Op::error;
  return std::nullopt;
}

void read_hello(Members& members, TrainerReply& reply) {
  reply.protocol = members.count("protocol");
  reply.parameters = members.count("parameters");
  reply.name = members.text("name");
  reply.numeric_class = members.text("class");
  reply.version = members.text_or_nothing("version");
  reply.device = members.text_or_nothing("device");
}

void read_done(Members& members, TrainerReply& reply) {
  reply.trained = members.string("state_digest") != nullptr;
  if (!reply.trained) return;
  reply.state_digest = members.text("state_digest");
  reply.step = members.count("steps");
  reply.tokens = members.count("tokens");
  reply.loss_first_nanos = members.loss("loss_first");
  reply.loss_last_nanos = members.loss("loss_last");
}

void read(Members& members, TrainerReply& reply) {
  using Op = TrainerReply::Op;
  if (reply.op != Op::hello && reply.op != Op::error) reply.id = members.count("id");
  switch (reply.op) {
    case Op::hello:
      return read_hello(members, reply);
    case Op::progress:
      reply.step = members.rough("step");
      reply.loss_nanos = members.rough_loss("loss");
      reply.tokens = members.rough("tokens");
      reply.tokens_per_second = members.rough("tokens_per_second");
      return;
    case Op::done:
      return read_done(members, reply);
    case Op::losses:
      reply.nanos = members.losses("nanos");
      return;
    case Op::text:
      reply.text = members.base64("text");
      return;
    case Op::error:
      reply.id = members.rough("id");
      reply.message = members.text_or_nothing("message");
      return;
  }
}

}  // namespace

Result<TrainerReply> parse_trainer_reply(std::string_view line) {
  const Object object = Object::parse(line, nullptr, false);
  const auto found = object.is_object() ? object.find("op") : object.end();
  if (!object.is_object() || found == object.end() || !found->is_string()) {
    return against_protocol("a line that is no reply: " + tame(line.substr(0, 80)));
  }
  const std::string& name = found->get_ref<const std::string&>();
  const auto op = op_of(name);
  if (!op) return against_protocol("an unknown reply \"" + tame(name) + "\"");
  TrainerReply reply;
  reply.op = *op;
  Members members(object);
  read(members, reply);
  if (!members.missed().empty()) {
    return against_protocol("\"" + members.missed() + "\" is missing or wrong in a \"" + name +
                            "\"");
  }
  return reply;
}

}  // namespace harambee::node

#include "node/observer.h"

#include "base/json.h"

namespace harambee::node {

const char* name(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::state:
      return "state";
    case Event::Kind::progress:
      return "progress";
    case Event::Kind::round:
      return "round";
    case Event::Kind::note:
      return "note";
  }
  return "note";
}

JsonObject to_json(const Stats& stats) {
  return JsonObject{
      {"accepted", stats.accepted},
      {"loss_nanos", stats.loss_nanos},
      {"once_received_bytes", stats.once_received_bytes},
      {"received_bytes", stats.received_bytes},
      {"round", stats.round},
      {"rounds", stats.rounds},
      {"sent_bytes", stats.sent_bytes},
      {"state", stats.state},
      {"step", stats.step},
      {"tokens", stats.tokens},
      {"tokens_per_second", stats.tokens_per_second},
  };
}

Stats stats_from_json(const Json& json) {
  const auto number = [&json](std::string_view key) -> std::int64_t {
    const Json* member = json.find(key);
    const std::int64_t* value = member ? member->integer() : nullptr;
    return value ? *value : 0;
  };
  Stats stats;
  stats.accepted = number("accepted");
  stats.loss_nanos = number("loss_nanos");
  stats.once_received_bytes = static_cast<std::uint64_t>(number("once_received_bytes"));
  stats.received_bytes = static_cast<std::uint64_t>(number("received_bytes"));
  stats.rounds = number("rounds");
  stats.sent_bytes = static_cast<std::uint64_t>(number("sent_bytes"));
  stats.tokens = number("tokens");
  return stats;
}

std::string json_line(const Event& event) {
  JsonObject object = to_json(event.stats);
  object["event"] = name(event.kind);
  object["text"] = event.text;
  return write(Json(std::move(object)));
}

}  // namespace harambee::node

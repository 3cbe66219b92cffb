// One line that a trainer wrote (spec/trainer-protocol.md), checked and bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::node {

struct TrainerReply {
  enum class Op { hello, progress, done, losses, text, error };
  Op op = Op::error;
  std::int64_t id = 0;  // of the request that it answers; 0 for hello, and for errors without one

  // hello
  std::int64_t protocol = 0;
  std::int64_t parameters = 0;
  std::string name, version, numeric_class, device;
  // progress: for people, zero if missing; done of `train`: exact
  std::int64_t step = 0;  // done: "steps"
  std::int64_t tokens = 0;
  std::int64_t tokens_per_second = 0;
  std::int64_t loss_nanos = 0;
  // done; an `init` has none of these
  bool trained = false;
  std::int64_t loss_first_nanos = 0;
  std::int64_t loss_last_nanos = 0;
  std::string state_digest;
  // losses
  std::vector<std::int64_t> nanos;
  // text
  Bytes text;
  // error
  std::string message;  // printable, shortened
};

// invalid: not a reply, or one without what its op must have. Losses are within ±fold::kNanosMax,
// other numbers 0 … 2^53 − 1.
[[nodiscard]] Result<TrainerReply> parse_trainer_reply(std::string_view line);

}  // namespace harambee::node

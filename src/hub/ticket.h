// A place in the sequencer's queue, and what became of it.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "base/hash.h"

namespace harambee::hub {

// What became of a submission.
struct Receipt {
  Digest id;
  std::uint64_t index = 0;
  std::uint64_t size = 0;  // of a published checkpoint that covers it
};
struct Rejection {
  int status = 400;  // HTTP
  std::string reason;
  std::optional<std::uint64_t> expected_seq;  // with 409
};
using Verdict = std::variant<Receipt, Rejection>;

// A place in the queue. Thread-safe.
class Ticket {
 public:
  [[nodiscard]] std::optional<Verdict> verdict() const;  // empty: not yet
  void set(Verdict verdict);

 private:
  mutable std::mutex mutex_;
  std::optional<Verdict> verdict_;
};

}  // namespace harambee::hub

// Which records may be logged: the checks that need no file and no clock. The rules of a run are
// the fold's business, not the hub's: a record that is inert may be logged.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "hub/order.h"
#include "hub/sequencer.h"
#include "record/record.h"

namespace harambee::hub {

// Canonical, of this log, and not of a kind that only the hub may write.
[[nodiscard]] std::variant<Unverified, Rejection> check_form(View envelope,
                                                             const std::string& origin,
                                                             const KeyId& hub);

// A run's name as it stands in URLs: [a-z0-9][a-z0-9._-]{0,63}.
[[nodiscard]] bool is_run_name(std::string_view name);

// One batch being put together against what is committed. Not thread-safe.
class Admission {
 public:
  explicit Admission(Order& order) : order_(order) {}

  struct Admitted {
    std::uint64_t index;
  };
  struct Known {  // committed before, or in this batch
    std::uint64_t index;
  };
  using Outcome = std::variant<Admitted, Known, Rejection>;

  // Starts an empty batch behind `size` entries.
  void begin(std::uint64_t size);
  // Signature, sequence, names. An error means that the database does not answer.
  [[nodiscard]] Result<Outcome> admit(const Unverified& record);
  [[nodiscard]] bool empty() const { return batch_.entries.empty(); }
  // Entries, authors, blobs and runs; the heads are the caller's to fill in.
  [[nodiscard]] OrderBatch take();
  // The batch was committed: remember its authors.
  void committed(const OrderBatch& batch);

 private:
  [[nodiscard]] Result<std::optional<AuthorState>> author(const KeyId& id);
  [[nodiscard]] Result<std::optional<Rejection>> check_name(const Payload& payload);
  void add(const Record& record, const AuthorState& next);

  Order& order_;
  std::unordered_map<KeyId, AuthorState, DigestHash> authors_;  // committed
  std::map<KeyId, AuthorState> changed_;                        // by this batch
  std::map<Digest, std::uint64_t> ids_;                         // of this batch
  std::set<std::string> names_;                                 // of this batch
  std::uint64_t next_index_ = 0;
  OrderBatch batch_;
};

}  // namespace harambee::hub

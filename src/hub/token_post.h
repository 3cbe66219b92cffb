// A record that the hub signs with a token's key, on its way into the log.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/sign.h"
#include "hub/order.h"
#include "hub/sequencer.h"
#include "record/record.h"

namespace harambee::hub {

// Not thread-safe. What it borrows outlives it.
class TokenPost {
 public:
  // `draft` has kind, body and blobs.
  TokenPost(Sequencer& sequencer, Order& order, std::string origin, SecretKey key, Payload draft)
      : sequencer_(sequencer),
        order_(order),
        origin_(std::move(origin)),
        key_(std::move(key)),
        draft_(std::move(draft)) {}

  // Empty: not decided yet; ask again when the sequencer has woken us. The key's identity record
  // goes in front if the log has none. When another request of the same token was faster, the
  // record is signed anew for the next place.
  [[nodiscard]] std::optional<Verdict> poll();

 private:
  [[nodiscard]] Result<std::shared_ptr<Ticket>> submit();

  Sequencer& sequencer_;
  Order& order_;
  std::string origin_;
  SecretKey key_;
  Payload draft_;
  std::shared_ptr<Ticket> ticket_;
  int tries_ = 0;
};

}  // namespace harambee::hub

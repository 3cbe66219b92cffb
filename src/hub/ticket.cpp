#include "hub/ticket.h"

#include <utility>

namespace harambee::hub {

std::optional<Verdict> Ticket::verdict() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

void Ticket::set(Verdict verdict) {
  const std::lock_guard lock(mutex_);
  verdict_ = std::move(verdict);
}

}  // namespace harambee::hub

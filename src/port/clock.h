// Time enters here and nowhere else. Log time (ticks) is not this clock.
#pragma once

#include <cstdint>

namespace harambee {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::int64_t unix_ms() const = 0;    // wall clock
  [[nodiscard]] virtual std::int64_t steady_ms() const = 0;  // never goes back
  // Waits; returns false at once when the person has asked to stop.
  virtual bool wait_ms(std::int64_t ms) = 0;
};

}  // namespace harambee

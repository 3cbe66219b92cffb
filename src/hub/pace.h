// How often one address may write to a hub, so that one sender cannot fill the log or the queue for
// everybody. Keys are free, so keys are not what is counted. Not thread-safe.
//
// The measure is the generic cell rate algorithm (ITU-T I.371, annex A): a minute's worth may come
// at once, and then as fast as the rate; one number is kept for each address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "hub/http.h"

namespace harambee::hub {

struct PaceRules {
  std::int64_t writes_per_minute = 0;  // 1 … 60'000 for each address; 0: no limit
  // All requests come from a proxy of ours: the last X-Forwarded-For names whom it speaks for.
  bool behind_proxy = false;
};

class Pace {
 public:
  explicit Pace(PaceRules rules) : rules_(rules) {}

  // Milliseconds until whoever sent this may write; 0: now, and the write is counted. `now_ms`
  // never goes back.
  [[nodiscard]] std::int64_t wait_ms(const HttpRequest& request, std::int64_t now_ms);

  // Whom a request is counted for: an IPv4 address, or the first 64 bits of an IPv6 address, which
  // is what one customer has. Empty for nobody: an unknown address, or this machine itself.
  [[nodiscard]] static std::string sender(const HttpRequest& request, bool behind_proxy);

 private:
  void make_room(std::int64_t now_us);

  PaceRules rules_;
  // When the allowance would be used up evenly, in microseconds of `now_ms`'s clock.
  std::unordered_map<std::string, std::int64_t> until_us_;
};

}  // namespace harambee::hub

#include "hub/pace.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

namespace harambee::hub {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::size_t kSendersMax = 1 << 16;
constexpr std::size_t kPrefixBytes = 8;  // of an IPv6 address

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The last address of the last field: what our own proxy added. Those before it are the sender's
// words.
std::optional<std::string> forwarded(const HttpRequest& request) {
  std::optional<std::string> last;
  for (const auto& [name, value] : request.headers) {
    if (name != "x-forwarded-for") continue;
    const auto comma = value.rfind(',');
    last = trimmed(std::string_view(value).substr(comma == std::string::npos ? 0 : comma + 1));
  }
  return last;
}

std::string v4_sender(const in_addr& address) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&address);
  if (bytes[0] == 127) return {};
  std::array<char, INET_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET, &address, text.data(), text.size()) ? text.data() : "";
}

std::string v6_sender(in6_addr address) {
  if (IN6_IS_ADDR_LOOPBACK(&address)) return {};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr inner{};
    std::copy_n(address.s6_addr + 12, 4, reinterpret_cast<std::uint8_t*>(&inner));
    return v4_sender(inner);
  }
  std::fill(address.s6_addr + kPrefixBytes, address.s6_addr + 16, std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET6, &address, text.data(), text.size()) ? text.data() : "";
}

}  // namespace

std::string Pace::sender(const HttpRequest& request, bool behind_proxy) {
  std::string address = request.remote;
  if (behind_proxy) {
    if (const auto spoken_for = forwarded(request)) address = *spoken_for;
  }
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return v4_sender(v4);
  in6_addr v6{};
  address = address.substr(0, address.find('%'));  // without the name of an interface
  if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) return v6_sender(v6);
  return {};
}

void Pace::make_room(std::int64_t now_us) {
  if (until_us_.size() < kSendersMax) return;
  std::erase_if(until_us_, [now_us](const auto& one) { return one.second <= now_us; });
  // So many at once are an attack; whoever is forgotten gets a fresh minute.
  if (until_us_.size() >= kSendersMax) until_us_.clear();
}

std::int64_t Pace::wait_ms(const HttpRequest& request, std::int64_t now_ms) {
  if (rules_.writes_per_minute <= 0) return 0;
  const std::string who = sender(request, rules_.behind_proxy);
  if (who.empty()) return 0;
  const std::int64_t now_us = now_ms * 1000;
  if (!until_us_.contains(who)) make_room(now_us);
  const std::int64_t interval_us = kMinuteUs / rules_.writes_per_minute;
  std::int64_t& until_us = until_us_[who];
  const std::int64_t next_us = std::max(until_us, now_us) + interval_us;
  const std::int64_t early_us = next_us - (now_us + kMinuteUs);
  if (early_us > 0) return (early_us + 999) / 1000;
  until_us = next_us;
  return 0;
}

}  // namespace harambee::hub

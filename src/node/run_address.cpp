#include "node/run_address.h"

#include <algorithm>
#include <charconv>

namespace harambee::node {
namespace {

constexpr std::string_view kShape = "a run looks like http://127.0.0.1:8080/runs/NAME";

bool is_authority(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
  });
}

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 200)) + "\""; }

}  // namespace

std::string RunAddress::str() const { return hub + "/runs/" + name; }

Status check_run_name(std::string_view name) {
  bool good = !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
              std::all_of(name.begin(), name.end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
              });
  if (good) return ok();
  return invalid(quoted(name) +
                 " is no name for a run: 1 to 63 lower-case letters, digits and '-', neither first "
                 "nor last a '-'");
}

Result<std::string> parse_hub_address(std::string_view text) {
  std::string_view rest = text;
  std::size_t scheme = 0;
  for (std::string_view prefix : {"http://", "https://"}) {
    if (rest.starts_with(prefix)) scheme = prefix.size();
  }
  if (scheme == 0) {
    return invalid(quoted(text) +
                   " does not begin with http:// or https://; a hub looks like "
                   "http://127.0.0.1:8080");
  }
  while (rest.size() > scheme && rest.back() == '/') rest.remove_suffix(1);
  if (!is_authority(rest.substr(scheme))) {
    return invalid(quoted(text) + " is no hub's address; one looks like http://127.0.0.1:8080");
  }
  return std::string(rest);
}

Result<RunAddress> parse_run_address(std::string_view text) {
  std::size_t runs = text.find("/runs/");
  if (runs == std::string_view::npos) {
    return invalid(quoted(text) + " names no run: " + std::string(kShape));
  }
  Result<std::string> hub = parse_hub_address(text.substr(0, runs));
  if (!hub) return invalid(quoted(text) + " names no run: " + std::string(kShape));
  RunAddress address;
  address.hub = *std::move(hub);
  std::string_view name = text.substr(runs + 6);
  if (std::size_t at = name.find('@'); at != std::string_view::npos) {
    std::string_view digits = name.substr(at + 1);
    std::int64_t round = -1;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), round);
    if (error != std::errc() || end != digits.data() + digits.size() || round < 0) {
      return invalid(quoted(digits) + " is no round: a number from 0");
    }
    address.round = round;
    name = name.substr(0, at);
  }
  while (!name.empty() && name.back() == '/') name.remove_suffix(1);
  if (Status good = check_run_name(name); !good) return good.error();
  address.name = std::string(name);
  return address;
}

}  // namespace harambee::node

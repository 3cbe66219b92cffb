// http://host:port/runs/NAME[@round]: how people name a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace harambee::node {

struct RunUrl {
  std::string hub;   // "http://host:port", no slash at the end
  std::string name;  // the run's name: 1–63 of [a-z0-9-]
  std::optional<std::uint64_t> round;
  [[nodiscard]] std::string str() const;
};

// invalid: says which part is wrong and how it should look.
[[nodiscard]] Result<RunUrl> parse_run_url(std::string_view text);
// A hub's own address: http://host:port or https://…, a slash at the end is taken off.
[[nodiscard]] Result<std::string> parse_hub_url(std::string_view text);

}  // namespace harambee::node

// http://host:port/runs/NAME[@round]: how people name a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace harambee::node {

struct RunAddress {
  std::string hub;   // "http://host:port", no slash at the end
  std::string name;  // the run's name: 1–63 of [a-z0-9-]
  std::optional<std::int64_t> round;
  [[nodiscard]] std::string str() const;  // without the round
};

// invalid: says which part is wrong and how it should look.
[[nodiscard]] Result<RunAddress> parse_run_address(std::string_view text);
// A hub's own address: http://host:port or https://…; a slash at the end is taken off.
[[nodiscard]] Result<std::string> parse_hub_address(std::string_view text);
// 1–63 of [a-z0-9-], not beginning or ending with '-'.
[[nodiscard]] Status check_run_name(std::string_view name);

}  // namespace harambee::node

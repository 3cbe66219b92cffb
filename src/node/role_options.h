// What every role needs to be run: where, as whom, with what.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/sign.h"

namespace harambee::node {

struct RoleOptions {
  std::string hub_url;        // "http://host:port"
  std::string run_name;       // as in http://host:port/runs/NAME
  std::filesystem::path dir;  // state of this role in this run; one process at a time
  SecretKey key;
  std::vector<std::string> trainer;  // argv; empty: harambee-trainer beside our own program
  int threads = 1;                   // of the trainer
  std::optional<std::string> vkey;   // pins the hub's key
  std::int64_t rounds_max = 0;       // stop after so many of our own rounds; 0: to the end
  std::int64_t poll_ms = 2'000;      // longest wait for log entries before a tick is asked for
  std::int64_t stall_ms = 300'000;   // of the trainer
  // How soon a blob that the hub has taken, and that others wait for, is looked for once more.
  std::int64_t look_again_ms = 60'000;
};

}  // namespace harambee::node

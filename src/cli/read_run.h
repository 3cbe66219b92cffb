// A run as the log has it now, from a kept copy that is brought up to date: what status, credits,
// explain and pull begin with. Signatures of entries that were checked before are not checked
// again (node/follower.h); `harambee verify` believes nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/setup.h"
#include "cli/ui.h"
#include "fold/state.h"
#include "net/http_client.h"
#include "node/follower.h"
#include "node/run_address.h"
#include "store/file.h"

namespace harambee::cli {

struct Reading {
  std::optional<store::FileLock> lock;  // of the kept copy
  node::RunAddress address;
  std::filesystem::path dir;  // a cache
  std::unique_ptr<net::CurlWire> wire;
  std::unique_ptr<node::Follower> follower;
  const fold::RunState* run = nullptr;
  [[nodiscard]] const fold::LogState& log() const { return follower->state(); }
};

[[nodiscard]] Result<Reading> read_run(const std::string& url, const Common& common, Ui& ui);
// Says what went wrong with it.
[[nodiscard]] Exit reading_failed(const Error& error, Ui& ui);

}  // namespace harambee::cli

// A whole hub in this process: data directory, database, files, sequencer, HTTP server.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/sign.h"
#include "hub/pace.h"
#include "hub/weights_cache.h"

namespace harambee::net {

struct HubServiceOptions {
  std::string data_dir;               // made as needed; layout in spec/hub-api.md
  std::string address = "127.0.0.1";  // numeric IPv4 or IPv6 address to listen on
  std::uint16_t port = 0;             // 0: any free one
  std::string origin;                 // empty: the one the log was born with, or "harambee/" + key
  std::int64_t tick_ms = 1000;
  std::int64_t batch_ms = 20;
  // Computes weights of rounds without a checkpoint, for the Hugging Face API; may be empty.
  hub::MakeWeights make_weights;
  // What one owner of tokens may keep here by Hugging Face uploads; 0: none are taken.
  std::uint64_t owner_bytes_max = 64ull << 30;
  hub::PaceRules pace;
  std::string completions;       // "http://host:port" of a server of the model; empty: none
  std::optional<SecretKey> key;  // none: key.pem in the data directory, made at birth
};

struct HubStarted {
  std::uint16_t port = 0;
  std::string origin;
  std::string vkey;
  std::uint64_t size = 0;             // entries in the log
  std::optional<std::string> damage;  // the log is read-only, and why
};

// Runs until `stop` becomes true. Prints nothing: `started` is called once, when requests are
// served. conflict: another process has the data directory, or the port is in use.
[[nodiscard]] Status run_hub(const HubServiceOptions& options, const std::atomic<bool>& stop,
                             const std::function<void(const HubStarted&)>& started);

}  // namespace harambee::net

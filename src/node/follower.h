// A verified local copy of a log. Every entry is checked (canonical form, signature, the tree root
// that the hub signed) before it reaches the fold, and kept on disk, so that a restart asks the hub
// only for what is new, and everything also works offline from what is kept.
//
// The hub's key is learned from genesis on first use and pinned in the directory; a pinned key or
// log that changes is `refused`. Two checkpoints that contradict each other are kept in
// `evidence/`, with the entries between them, and reported as `corrupt`.
//
// In `dir`: entries.bin (u16be length ‖ envelope, in log order; a torn tail is cut when opened),
// checkpoint (the last signed note that was verified), vkey, verified (size and root of the
// beginning whose every signature was checked).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "fold/state.h"
#include "port/wire.h"
#include "record/record.h"

namespace harambee::node {

// Whose signatures are checked when a kept copy is opened.
enum class Signatures {
  of_all_entries,  // the default: nothing on disk is believed
  // Kept entries are only compared with the root of the time when they were verified: for verbs
  // that answer in milliseconds and whose answer nothing depends on.
  of_new_entries,
};

struct FollowerOptions {
  std::string hub_url;              // "http://host:port"; empty: offline, only what is kept
  std::filesystem::path dir;        // made if it is not there
  std::optional<std::string> vkey;  // pins the hub's key before first use
  Signatures signatures = Signatures::of_all_entries;
};

class Follower {
 public:
  // Called once for every verified entry in log order, those from disk included: `state` is the
  // state after `record`. An error stops the follower with that error.
  using EntryFn =
      std::function<Status(std::uint64_t index, const Record& record, const fold::LogState& state)>;

  // Loads and re-verifies what is kept in options.dir. `wire` may be null offline, and outlives
  // the follower.
  [[nodiscard]] static Result<std::unique_ptr<Follower>> open(FollowerOptions options, Wire* wire,
                                                              EntryFn on_entry = {});
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Brings the copy up to date; if nothing is new, lets the hub wait up to `wait_ms` (≤ 30000)
  // for an entry. Returns the number of new entries.
  // unavailable: no hub, or not a sensible answer; the copy is as it was. corrupt: the hub
  // contradicts itself; the message names the index and the evidence.
  [[nodiscard]] Result<std::uint64_t> follow(std::int64_t wait_ms = 0);

  [[nodiscard]] const fold::LogState& state() const;
  [[nodiscard]] std::uint64_t size() const;         // entries verified
  [[nodiscard]] const std::string& origin() const;  // empty before the first entry
  [[nodiscard]] const std::string& vkey() const;
  [[nodiscard]] const std::string& checkpoint() const;  // the signed note; empty before the first
  [[nodiscard]] const std::string& hub_url() const;

  // Walks over the kept entries' bytes in log order.
  [[nodiscard]] Status for_each(
      const std::function<Status(std::uint64_t index, View envelope)>& visit) const;

 private:
  struct Impl;
  explicit Follower(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace harambee::node

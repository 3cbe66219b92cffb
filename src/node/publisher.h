// Signs records and brings them to the log, exactly once each: the bytes are on disk before they
// are sent, and sending the same bytes again is harmless.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/sign.h"
#include "node/follower.h"
#include "port/clock.h"
#include "port/wire.h"
#include "record/record.h"

namespace harambee::node {

struct Posted {
  RecordId id;
  std::uint64_t index = 0;  // in the log
};

class Publisher {
 public:
  // `dir` holds pending.record: the exact bytes of the record on its way. All references outlive
  // the publisher. One publisher per key and directory at a time.
  Publisher(Follower& follower, const SecretKey& key, Wire& wire, Clock& clock,
            std::filesystem::path dir);

  // Posts `draft` (fold/acts.h: kind, run, round, body and blobs; log, author, seq and prev are
  // filled in here), preceded by an identity record if this author has none. Retries while the
  // hub is away, busy (429, 503: as long as it asks, with jitter) or our sequence number was taken
  // (409: follows the log and signs anew), until it is logged or the clock says stop.
  // The follower has seen the record when this returns. A record left over from a crash is brought
  // to an end first. refused: the hub will never take it (its reason in the message).
  [[nodiscard]] Result<Posted> post(const Payload& draft);

  // Like post(), in two steps for callers that keep state of their own beside the record:
  // prepare() signs and writes pending.record (COMMIT POINT of the caller's state), finish()
  // sends it. If the sequence number was taken meanwhile, finish() signs the same draft anew.
  [[nodiscard]] Result<RecordId> prepare(const Payload& draft);
  [[nodiscard]] Result<Posted> finish();
  // The record on its way, if any; drop() forgets it unsent (it may still have reached the log).
  [[nodiscard]] Result<std::optional<Payload>> pending() const;
  [[nodiscard]] Status drop();

  // Asks the hub for a tick (POST /tick). Not being given one is fine.
  [[nodiscard]] Status ask_for_tick();
  [[nodiscard]] KeyId author() const { return key_.id(); }

 private:
  [[nodiscard]] Status ensure_identity();
  [[nodiscard]] Result<Bytes> sign(const Payload& draft) const;
  [[nodiscard]] Result<Posted> send(Bytes envelope);
  [[nodiscard]] std::filesystem::path pending_path() const { return dir_ / "pending.record"; }

  Follower& follower_;
  SecretKey key_;
  Wire& wire_;
  Clock& clock_;
  std::filesystem::path dir_;
};

}  // namespace harambee::node

// Signs records and brings them to the log, exactly once each: the bytes are on disk before they
// are sent, and sending the same bytes again is harmless.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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
  using NoteFn = std::function<void(const std::string&)>;  // why it waits, for people

  // `dir` holds pending.record: the exact bytes of the record on its way. All references outlive
  // the publisher. One publisher per directory at a time; several may share a key.
  Publisher(Follower& follower, const SecretKey& key, Wire& wire, Clock& clock,
            std::filesystem::path dir, NoteFn on_note = {});

  // Brings `draft` to the log (fold/acts.h fills kind, run, round, body and blobs; log, author, seq
  // and prev are filled in here), preceded by an identity record if this author has none. A record
  // left over from a crash is brought to an end first. Ends and errors as finish().
  [[nodiscard]] Result<Posted> post(const Payload& draft);

  // Like post(), in two steps for callers that keep state of their own beside the record:
  // prepare() signs and writes pending.record, replacing any other (COMMIT POINT of the caller's
  // state); finish() sends it.
  [[nodiscard]] Result<RecordId> prepare(const Payload& draft);
  // Retries while the hub is away or busy (429, 503: as long as it asks, with jitter) or our
  // sequence number was taken (409: follows the log and signs the same draft anew), until the
  // record is logged and the follower has seen it, or the clock says stop (cancelled).
  // refused: the hub will never take it (its reason in the message); the record is dropped.
  [[nodiscard]] Result<Posted> finish();
  // The record on its way, if any; drop() forgets it unsent (it may still have reached the log).
  [[nodiscard]] Result<std::optional<Payload>> pending() const;
  [[nodiscard]] Status drop();

  // Posts the identity record if the log has no record of this author.
  [[nodiscard]] Status ensure_identity();
  // Asks the hub for a tick (POST /tick). Not being given one is fine.
  [[nodiscard]] Status ask_for_tick();
  [[nodiscard]] KeyId author() const { return key_.id(); }

 private:
  [[nodiscard]] Result<Bytes> sign(Payload draft) const;
  [[nodiscard]] Result<std::optional<Posted>> send_once(View envelope);
  [[nodiscard]] Result<Posted> send(Bytes envelope, bool keep);
  [[nodiscard]] Status follow_to(std::uint64_t index);
  [[nodiscard]] Status pause(std::int64_t ms_least);
  [[nodiscard]] std::filesystem::path pending_path() const { return dir_ / "pending.record"; }

  Follower& follower_;
  SecretKey key_;
  Wire& wire_;
  Clock& clock_;
  std::filesystem::path dir_;
  NoteFn on_note_;
  int failures_ = 0;  // in a row
  std::uint64_t draws_ = 0;
};

}  // namespace harambee::node

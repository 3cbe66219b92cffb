// A record: one signed statement of one author in one log (spec/record.md).
// The way in has three steps, and the types keep them apart: bytes → Unverified (canonical form,
// limits) → Record (signature). Only verify() makes a Record, so a fold cannot meet a forged one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"
#include "base/sign.h"
#include "record/blob_ref.h"

namespace harambee {

using RecordId = Digest;  // SHA-256 of the DSSE pre-authentication encoding

inline constexpr std::int64_t kRecordVersion = 1;

struct Payload {
  std::int64_t v = kRecordVersion;
  std::string log;                    // origin of the only log that this record is for
  std::string kind;                   // [a-z][a-z0-9._-]*; unknown kinds are logged and inert
  KeyId author;                       // must be among the envelope's key ids
  std::uint64_t seq = 0;              // of this author in this log: 0, 1, 2, … without gaps
  std::optional<RecordId> prev;       // the author's previous record; null exactly if seq == 0
  std::optional<RecordId> run;        // absent from the text if none
  std::optional<std::int64_t> round;  // ≥ 0; only together with run
  Json body = JsonObject{};           // always an object
  std::vector<BlobRef> blobs;         // always present in the text, may be empty
  bool operator==(const Payload&) const = default;
};

// Refuses what breaks the shape above: missing or unknown members, wrong types, limits.
// The rules that tie members together (spec/record.md §3) are checked here too: an author's
// record 0, and only that, is an `identity` or `genesis` whose body.key hashes to author.
[[nodiscard]] Result<Payload> parse_payload(View canonical_json);
// Canonical JSON. Does not check limits: sign_record() does.
[[nodiscard]] std::string write_payload(const Payload& payload);

class Record;

// Canonical and within limits, but nobody has checked the signature.
class Unverified {
 public:
  [[nodiscard]] const RecordId& id() const { return id_; }
  [[nodiscard]] const Payload& payload() const { return payload_; }
  // The exact bytes that were parsed: the log's entry.
  [[nodiscard]] View envelope() const { return envelope_; }
  // The key in body.key of an author's record 0; known to hash to author. Null otherwise.
  [[nodiscard]] const std::optional<PublicKey>& own_key() const { return own_key_; }

  // Checks the author's signature with the author's key. Refuses a key that does not hash to
  // payload().author. Further signatures are not looked at and mean nothing in version 1.
  [[nodiscard]] Result<Record> verify(const PublicKey& key) const&;
  [[nodiscard]] Result<Record> verify(const PublicKey& key) &&;
  // For a program's own store of records that it verified before, whose bytes it compares with the
  // tree root of that time (node/follower.h). Checking a signature costs most of reading a log.
  // Anywhere else: verify().
  [[nodiscard]] Record verified_before(const PublicKey& key) &&;

 private:
  friend Result<Unverified> parse_envelope(View bytes);
  Unverified() = default;
  [[nodiscard]] Status check(const PublicKey& key) const;

  Bytes envelope_;
  Bytes pae_;  // what the signature covers; ends in the payload's text
  Payload payload_;
  RecordId id_;
  Signature signature_;  // the author's
  std::optional<PublicKey> own_key_;
};

// Canonical, within limits, and signed by its author. A value: copy and compare at will.
class Record {
 public:
  [[nodiscard]] const RecordId& id() const { return id_; }
  [[nodiscard]] const Payload& payload() const { return payload_; }
  [[nodiscard]] View envelope() const { return envelope_; }
  // The key that signed; the key of all the author's later records.
  [[nodiscard]] const PublicKey& key() const { return key_; }
  bool operator==(const Record&) const = default;

 private:
  friend class Unverified;
  Record(Bytes envelope, Payload payload, const RecordId& id, const PublicKey& key)
      : envelope_(std::move(envelope)), payload_(std::move(payload)), id_(id), key_(key) {}

  Bytes envelope_;
  Payload payload_;
  RecordId id_;
  PublicKey key_;
};

// Canonical DSSE, canonical payload, all limits; refuses with `invalid` or `limit`.
[[nodiscard]] Result<Unverified> parse_envelope(View bytes);

}  // namespace harambee

#include "record/record.h"

#include <algorithm>
#include <utility>

#include "record/build.h"
#include "record/envelope.h"
#include "record/limits.h"

namespace harambee {

Result<Unverified> parse_envelope(View bytes) {
  auto envelope = parse_dsse(bytes);
  if (!envelope) return envelope.error();
  auto payload = parse_payload(envelope->payload);
  if (!payload) return payload.error();
  const auto& signatures = envelope->signatures;
  const auto by_author = std::ranges::find(signatures, payload->author, &EnvelopeSignature::key);
  if (by_author == signatures.end()) return invalid("not signed by its author");

  Unverified record;
  record.envelope_.assign(bytes.begin(), bytes.end());
  record.pae_ = pae(envelope->payload);
  record.id_ = sha256(record.pae_);
  record.signature_ = by_author->signature;
  record.payload_ = *std::move(payload);
  if (record.payload_.seq == 0) {
    // parse_payload() has made sure that it is there and hashes to author.
    auto key = PublicKey::from_hex(*record.payload_.body.find("key")->string());
    HARAMBEE_CHECK(key.ok());
    record.own_key_ = *key;
  }
  return record;
}

Status Unverified::check(const PublicKey& key) const {
  if (key_id(key) != payload_.author) return invalid("the key is not the author's");
  if (!harambee::verify(key, pae_, signature_)) {
    return invalid("the author's signature is false");
  }
  return ok();
}

Result<Record> Unverified::verify(const PublicKey& key) const& {
  if (Status checked = check(key); !checked) return checked.error();
  return Record(envelope_, payload_, id_, key);
}

Result<Record> Unverified::verify(const PublicKey& key) && {
  if (Status checked = check(key); !checked) return checked.error();
  return Record(std::move(envelope_), std::move(payload_), id_, key);
}

Record Unverified::verified_before(const PublicKey& key) && {
  return Record(std::move(envelope_), std::move(payload_), id_, key);
}

Result<Bytes> sign_record(const Payload& payload, const SecretKey& key) {
  if (key.id() != payload.author) return invalid("the key is not the author's");
  const std::string json = write_payload(payload);
  auto read = parse_payload(view(json));
  if (!read) return wrap(read.error(), "cannot make this record");
  // Members that the text cannot carry, such as v, would come back changed.
  if (*read != payload) return invalid("cannot make this record: it does not survive its text");
  const Signature signature = key.sign(pae(view(json)));
  return write_dsse({to_bytes(json), {{payload.author, signature}}});
}

}  // namespace harambee

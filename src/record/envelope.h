// The canonical DSSE envelope (trust format of every log entry; spec/record.md):
// {"payload":"…","payloadType":"…","signatures":[{"keyid":"…","sig":"…"}]}
// in that key order, without white space, standard padded base64, signatures sorted by key id
// without duplicates. One envelope has one text; anything else is refused, never repaired.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"

namespace harambee {

inline constexpr std::string_view kRecordPayloadType = "application/vnd.harambee.record.v1+json";

struct EnvelopeSignature {
  KeyId key;  // a hint: DSSE does not authenticate it
  Signature signature;
  bool operator==(const EnvelopeSignature&) const = default;
};

struct Envelope {
  Bytes payload;
  std::vector<EnvelopeSignature> signatures;  // 1 … kRecordSignaturesMax, ascending by key
  bool operator==(const Envelope&) const = default;
};

// Only kRecordPayloadType is taken. The payload is any bytes up to kRecordPayloadBytesMax here.
[[nodiscard]] Result<Envelope> parse_dsse(View bytes);
// The one text of an envelope that keeps the rules above (else: a bug).
[[nodiscard]] Bytes write_dsse(const Envelope& envelope);

// DSSE pre-authentication encoding, the bytes that are signed and hashed:
// "DSSEv1" SP len(type) SP type SP len(payload) SP payload.
[[nodiscard]] Bytes pae(std::string_view type, View payload);
[[nodiscard]] inline Bytes pae(View payload) { return pae(kRecordPayloadType, payload); }

}  // namespace harambee

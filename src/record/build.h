// Making records: a payload and a key in, the envelope's bytes out.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/sign.h"
#include "record/record.h"

namespace harambee {

// The canonical envelope with one signature by `key`. Deterministic (RFC 8032).
// Refuses whatever parse_envelope() would refuse, and a key that is not the author's.
[[nodiscard]] Result<Bytes> sign_record(const Payload& payload, const SecretKey& key);

}  // namespace harambee

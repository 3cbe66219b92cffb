// Envelopes and payloads: what is accepted is exactly what is written.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "record/envelope.h"
#include "record/limits.h"
#include "record/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  const View input(data, size);
  if (const auto envelope = parse_dsse(input)) {
    HARAMBEE_CHECK(text(write_dsse(*envelope)) == text(input));
  }
  if (const auto payload = parse_payload(input)) {
    HARAMBEE_CHECK(write_payload(*payload) == text(input));
  }
  // The input as a payload, in an envelope that is right: the fuzzer need not find base64.
  if (size <= kRecordPayloadBytesMax) {
    Envelope wrapped{Bytes(input.begin(), input.end()), {EnvelopeSignature{}}};
    const auto payload = parse_payload(input);
    if (payload) wrapped.signatures.front().key = payload->author;
    const auto record = parse_envelope(write_dsse(wrapped));
    HARAMBEE_CHECK(record.ok() == payload.ok());
    // Nobody can sign with zeros.
    if (record && record->own_key()) HARAMBEE_CHECK(!record->verify(*record->own_key()).ok());
  }
  if (const auto record = parse_envelope(input)) {
    HARAMBEE_CHECK(text(record->envelope()) == text(input));
    HARAMBEE_CHECK(record->id() == sha256(pae(view(write_payload(record->payload())))));
    if (record->own_key()) static_cast<void>(record->verify(*record->own_key()));
  }
  return 0;
}

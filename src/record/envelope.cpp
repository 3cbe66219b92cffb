#include "record/envelope.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/encoding.h"
#include "record/limits.h"

namespace harambee {
namespace {

constexpr std::string_view kPayloadOpen = R"({"payload":")";
constexpr std::string_view kTypeOpen = R"(","payloadType":")";
constexpr std::string_view kSignaturesOpen = R"(","signatures":[)";
constexpr std::string_view kKeyOpen = R"({"keyid":")";
constexpr std::string_view kSigOpen = R"(","sig":")";
constexpr std::string_view kSignatureClose = R"("})";
constexpr std::string_view kSignaturesClose = "]}";
constexpr std::size_t kKeyDigits = 64;
constexpr std::size_t kSigDigits = 88;

static_assert(kEnvelopeFrameBytes == kPayloadOpen.size() + kTypeOpen.size() +
                                         kRecordPayloadType.size() + kSignaturesOpen.size() +
                                         kSignaturesClose.size());
static_assert(kEnvelopeSignatureBytes == kKeyOpen.size() + kKeyDigits + kSigOpen.size() +
                                             kSigDigits + kSignatureClose.size() + 1);

Error not_canonical(const char* what) {
  return invalid(std::string("not a canonical DSSE envelope: ") + what);
}

bool take(std::string_view& rest, std::string_view expected) {
  if (!rest.starts_with(expected)) return false;
  rest.remove_prefix(expected.size());
  return true;
}

std::string_view take(std::string_view& rest, std::size_t count) {
  const std::string_view head = rest.substr(0, count);
  rest.remove_prefix(head.size());
  return head;
}

Result<EnvelopeSignature> take_signature(std::string_view& rest) {
  EnvelopeSignature out;
  if (!take(rest, kKeyOpen)) return not_canonical("keyid");
  auto key = Digest::from_hex(take(rest, kKeyDigits));
  if (!key) return not_canonical("keyid is not 64 lower-case hex digits");
  if (!take(rest, kSigOpen)) return not_canonical("sig");
  auto signature = from_base64(take(rest, kSigDigits));
  if (!signature || signature->size() != out.signature.bytes.size()) {
    return not_canonical("sig is not base64 of 64 bytes");
  }
  if (!take(rest, kSignatureClose)) return not_canonical("the end of a signature");
  out.key = *key;
  std::ranges::copy(*signature, out.signature.bytes.begin());
  return out;
}

Status take_signatures(std::string_view& rest, std::vector<EnvelopeSignature>& out) {
  do {
    if (out.size() == kRecordSignaturesMax) {
      return fail(ErrorCode::limit, "too many signatures");
    }
    auto signature = take_signature(rest);
    if (!signature) return signature.error();
    if (!out.empty() && signature->key <= out.back().key) {
      return not_canonical("signatures are not in ascending order of keyid");
    }
    out.push_back(*signature);
  } while (take(rest, ","));
  return ok();
}

void append(Bytes& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }

}  // namespace

Result<Envelope> parse_dsse(View bytes) {
  if (bytes.size() > kRecordEnvelopeBytesMax) {
    return fail(ErrorCode::limit,
                "the record is larger than " + std::to_string(kRecordEnvelopeBytesMax) + " bytes");
  }
  std::string_view rest = text(bytes);
  if (!take(rest, kPayloadOpen)) return not_canonical("payload");
  const std::size_t quote = rest.find('"');
  if (quote == rest.npos) return not_canonical("payload has no end");
  auto payload = from_base64(take(rest, quote));
  if (!payload) return not_canonical(("payload is " + payload.error().message).c_str());
  if (payload->size() > kRecordPayloadBytesMax) {
    return fail(ErrorCode::limit, "the record's payload is larger than " +
                                      std::to_string(kRecordPayloadBytesMax) + " bytes");
  }
  if (!take(rest, kTypeOpen)) return not_canonical("payloadType");
  if (!take(rest, kRecordPayloadType)) return invalid("not a Harambee record: unknown payloadType");
  if (!take(rest, kSignaturesOpen)) return not_canonical("signatures");
  Envelope envelope;
  envelope.payload = *std::move(payload);
  if (Status taken = take_signatures(rest, envelope.signatures); !taken) return taken.error();
  if (rest != kSignaturesClose) return not_canonical("its end");
  return envelope;
}

Bytes write_dsse(const Envelope& envelope) {
  const auto& signatures = envelope.signatures;
  HARAMBEE_CHECK(envelope.payload.size() <= kRecordPayloadBytesMax);
  HARAMBEE_CHECK(!signatures.empty() && signatures.size() <= kRecordSignaturesMax);
  Bytes out;
  out.reserve(kEnvelopeFrameBytes + (envelope.payload.size() + 2) / 3 * 4 +
              signatures.size() * kEnvelopeSignatureBytes);
  append(out, kPayloadOpen);
  append(out, base64(envelope.payload));
  append(out, kTypeOpen);
  append(out, kRecordPayloadType);
  append(out, kSignaturesOpen);
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    HARAMBEE_CHECK(i == 0 || signatures[i - 1].key < signatures[i].key);
    if (i != 0) append(out, ",");
    append(out, kKeyOpen);
    append(out, signatures[i].key.hex());
    append(out, kSigOpen);
    append(out, base64(signatures[i].signature.bytes));
    append(out, kSignatureClose);
  }
  append(out, kSignaturesClose);
  return out;
}

Bytes pae(std::string_view type, View payload) {
  Bytes out;
  out.reserve(32 + type.size() + payload.size());
  append(out, "DSSEv1 ");
  append(out, std::to_string(type.size()));
  append(out, " ");
  append(out, type);
  append(out, " ");
  append(out, std::to_string(payload.size()));
  append(out, " ");
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

}  // namespace harambee

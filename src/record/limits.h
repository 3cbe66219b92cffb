// Every limit of a record, checked against each other. Bounds on bytes from strangers come first:
// nothing is allocated before its size is known to be within them (spec/record.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/json.h"

namespace harambee {

inline constexpr std::size_t kRecordPayloadBytesMax = 32 * 1024;
inline constexpr std::size_t kRecordSignaturesMax = 8;
inline constexpr std::size_t kRecordLogBytesMax = 255;  // origin
inline constexpr std::size_t kRecordKindBytesMax = 64;
inline constexpr std::size_t kRecordBlobsMax = 64;
inline constexpr std::size_t kBlobTypeBytesMax = 127;  // RFC 6838 §4.2 gives 127 a half
inline constexpr std::uint64_t kBlobBytesMax = std::uint64_t{1} << 40;

// The text around the payload and the signatures; one signature with the comma before it. The
// static_asserts in envelope.cpp count them again from the text itself.
inline constexpr std::size_t kEnvelopeFrameBytes = 86;
inline constexpr std::size_t kEnvelopeSignatureBytes = 174;
inline constexpr std::size_t kRecordEnvelopeBytesMax =
    kEnvelopeFrameBytes + (kRecordPayloadBytesMax + 2) / 3 * 4 +
    kRecordSignaturesMax * kEnvelopeSignatureBytes - 1;
// An entry bundle gives each entry a 16-bit length (C2SP tlog-tiles).
inline constexpr std::size_t kLogEntryBytesMax = 65'535;

static_assert(kRecordEnvelopeBytesMax <= kLogEntryBytesMax);
static_assert(kBlobBytesMax <= static_cast<std::uint64_t>(kJsonIntegerMax));

}  // namespace harambee

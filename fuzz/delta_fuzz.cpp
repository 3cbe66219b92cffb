// Deltas from strangers: what is accepted is canonical, and can be summed and applied.
//
// The first bytes choose the codec and the length; a valid header is put in front, so that the
// fuzzer spends its time on chunks. Codecs whose canonical form follows from the decoded numbers
// alone are encoded again.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "exact/aggregate.h"
#include "exact/codec.h"
#include "exact/container.h"

namespace {

using namespace harambee;
using exact::Codec;

void check(View blob, std::uint64_t parameters, const Codec& codec) {
  const auto delta = exact::Delta::parse(blob, parameters, codec, Digest{});
  if (!delta.ok()) return;
  std::vector<float> values = exact::decode(*delta);
  std::uint64_t nonzero = 0;
  for (const float value : values) {
    HARAMBEE_CHECK(std::isfinite(value));
    nonzero += value != 0;
  }
  HARAMBEE_CHECK(nonzero == delta->nonzero());
  HARAMBEE_CHECK((delta->squared_norm().integer == 0) == (nonzero == 0));
  const exact::Delta twice[] = {*delta, *delta};
  std::vector<float> mean(parameters);
  HARAMBEE_CHECK(exact::aggregate(twice, mean).ok());
  HARAMBEE_CHECK(mean == values);
  if (!codec.sparse() && codec.kind != Codec::Kind::ternary) return;
  const auto again = exact::encode(codec, Digest{}, values);
  // Values may lie beyond what an encoder takes.
  if (again.ok()) HARAMBEE_CHECK(text(*again) == text(blob));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  Codec codec;
  codec.kind = static_cast<Codec::Kind>(1 + data[0] % 5);
  codec.keep = codec.sparse() ? 1 + get_u16le(data + 1) % exact::container::kKeepMax : 0;
  const std::uint64_t parameters = 1 + get_u16le(data + 3) % 10'000;
  Bytes blob = to_bytes(exact::container::kMagic);
  blob.push_back(static_cast<std::uint8_t>(codec.kind));
  blob.push_back(exact::container::kVersion);
  put_u16le(blob, static_cast<std::uint16_t>(codec.keep));
  put_u64le(blob, parameters);
  put_u16le(blob, static_cast<std::uint16_t>(static_cast<std::int8_t>(data[5])));
  put_u16le(blob, 0);
  blob.resize(exact::container::kHeaderBytes);  // base and author zero
  blob.insert(blob.end(), data + 6, data + size);
  check(blob, parameters, codec);
  check(View(data, size), parameters, codec);
  return 0;
}

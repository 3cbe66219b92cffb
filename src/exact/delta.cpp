#include <bit>
#include <cstring>

#include "exact/codec.h"
#include "exact/container.h"
#include "exact/math.h"
#include "exact/rice.h"

namespace harambee::exact {
namespace {

using container::BitReader;
using container::chunk_length;
using Kind = Codec::Kind;

// What is needed to read one chunk.
struct Form {
  Kind kind;
  std::uint32_t keep;
  unsigned rice;
};

enum class Flaw {
  none,
  count,
  place,
  level,
  code,
  empty,
};

const char* describe(Flaw flaw) {
  switch (flaw) {
    case Flaw::none:
      break;
    case Flaw::count:
      return "a chunk's count is not canonical";
    case Flaw::place:
      return "a place is outside its chunk";
    case Flaw::level:
      return "a chunk's levels are not canonical";
    case Flaw::code:
      return "a code is out of range";
    case Flaw::empty:
      return "a chunk with a scale has no values";
  }
  return "";
}

Flaw read_sparse(BitReader& bits, const Form& form, std::uint32_t length, std::uint32_t low,
                 Delta::Chunk& out) {
  const bool two_level = form.kind == Kind::two_level;
  const std::uint32_t high = two_level ? bits.take(container::kMantissaBits) : 0;
  if (high != 0 && high <= low) return Flaw::level;
  const std::uint32_t most = std::min(form.keep, length);
  std::uint32_t count = most;
  if (bits.take(1) == 0) {
    count = bits.take(container::kCountBits);
    if (count == 0 || count >= most) return Flaw::count;
  }
  const rice::Form values{
      .parameter = form.rice,
      .two_level = two_level,
      .length = length,
      .level = {static_cast<std::int32_t>(low), static_cast<std::int32_t>(high)}};
  const rice::Read read = rice::read_values(bits.bytes(), bits.position(), values, count,
                                            out.place.data(), out.value.data());
  bits.skip(read.position - bits.position());
  if (read.outside) return Flaw::place;
  out.size = count;
  // Both levels are used, or there is one.
  return (high != 0) == (read.highs != 0) && read.highs < count ? Flaw::none : Flaw::level;
}

void push(Delta::Chunk& out, std::uint32_t place, std::int32_t value) {
  out.place[out.size] = static_cast<std::uint16_t>(place);
  out.value[out.size] = value;
  out.size += value != 0;
}

Flaw read_dense(BitReader& bits, const Form& form, std::uint32_t length, std::uint32_t mantissa,
                Delta::Chunk& out) {
  const auto scale = static_cast<std::int32_t>(mantissa);
  if (form.kind == Kind::ternary) {
    for (std::uint32_t i = 0; i < length; i += 5) {
      std::uint32_t packed = bits.take(8);
      for (std::uint32_t j = i; j < std::min(i + 5, length); ++j, packed /= 3) {
        const std::uint32_t trit = packed % 3;
        push(out, j, trit == 0 ? 0 : trit == 1 ? scale : -scale);
      }
      if (packed != 0) return Flaw::code;
    }
  } else {
    const unsigned width = form.kind == Kind::int4 ? 4 : 8;
    const std::int32_t span = 1 << width;
    for (std::uint32_t i = 0; i < length; ++i) {
      auto code = static_cast<std::int32_t>(bits.take(width));
      if (code >= span / 2) code -= span;
      if (code == -span / 2) return Flaw::code;
      push(out, i, code * scale);
    }
  }
  return out.size == 0 ? Flaw::empty : Flaw::none;
}

// The only reader of chunks: parse() walks all of them with it, and a cursor again later.
Flaw read_chunk(BitReader& bits, const Form& form, std::uint32_t length, std::uint32_t& mantissa,
                Delta::Chunk& out) {
  out.size = 0;
  mantissa = bits.take(container::kMantissaBits);
  if (mantissa == 0) return Flaw::none;
  if (form.kind == Kind::sign || form.kind == Kind::two_level) {
    return read_sparse(bits, form, length, mantissa, out);
  }
  return read_dense(bits, form, length, mantissa, out);
}

Form form_of(Kind kind, std::uint32_t keep) {
  return {kind, keep, keep != 0 ? container::rice_parameter(keep) : 0};
}

Error bad(const std::string& why) { return invalid("delta: " + why); }

bool is_at(View blob, std::size_t offset, const Digest& digest) {
  return std::equal(digest.bytes.begin(), digest.bytes.end(), blob.begin() + offset);
}

Status check_header(View blob, std::uint64_t parameters, const Codec& codec,
                    const Provenance& provenance) {
  using namespace container;
  if (blob.size() < kHeaderBytes) return bad("shorter than its header");
  if (text(blob.first(kMagic.size())) != kMagic) return bad("it does not begin with HBD1");
  if (blob[kVersionAt] != kVersion) return bad("unknown version");
  if (blob[kKindAt] != static_cast<std::uint8_t>(codec.kind)) return bad("another codec");
  if (get_u16le(&blob[kKeepAt]) != codec.keep) return bad("another number of kept values");
  if (get_u64le(&blob[kParametersAt]) != parameters) return bad("another number of parameters");
  if (get_u16le(&blob[kReservedAt]) != 0) return bad("the reserved bytes are not zero");
  if (!is_at(blob, kBaseAt, provenance.base)) return bad("another base");
  if (!is_at(blob, kAuthorAt, provenance.author)) return bad("of another author");
  return ok();
}

}  // namespace

Result<Delta> Delta::parse(View blob, std::uint64_t parameters, const Codec& codec,
                           const Provenance& provenance) {
  if (Status valid = codec.validate(); !valid) return valid.error();
  HARAMBEE_CHECK(parameters >= 1 && parameters <= kParametersMax);
  if (Status header = check_header(blob, parameters, codec, provenance); !header)
    return header.error();
  const int exponent = static_cast<std::int16_t>(get_u16le(&blob[container::kExponentAt]));
  if (exponent < kExponentMin || exponent > kExponentMax)
    return bad("the exponent is out of range");

  Delta delta;
  delta.blob_ = blob;
  delta.parameters_ = parameters;
  delta.kind_ = codec.kind;
  delta.keep_ = codec.keep;
  delta.norm_.exponent = exponent;
  const Form form = form_of(codec.kind, codec.keep);
  BitReader bits(blob.subspan(container::kHeaderBytes), 0);
  Chunk chunk;
  std::uint32_t largest = 0;  // mantissa
  for (std::uint64_t c = 0; c < delta.chunks(); ++c) {
    std::uint32_t mantissa = 0;
    const Flaw flaw = read_chunk(bits, form, chunk_length(parameters, c), mantissa, chunk);
    if (bits.overrun()) return bad("it ends too early");
    if (flaw != Flaw::none) return bad(describe(flaw));
    largest = std::max(largest, mantissa);
    std::uint64_t sum = 0;  // ≤ 4096 · (127 · 65535)² < 2^58
    for (std::uint32_t i = 0; i < chunk.size; ++i) {
      const std::int64_t value = chunk.value[i];
      sum += static_cast<std::uint64_t>(value * value);
    }
    if (codec.kind == Kind::two_level) {
      for (std::uint32_t i = 0; i < chunk.size; ++i) {
        largest = std::max(largest, static_cast<std::uint32_t>(std::abs(chunk.value[i])));
      }
    }
    delta.norm_.integer += sum;
    delta.nonzero_ += chunk.size;
  }
  if (largest == 0 ? exponent != 0 : largest < 0x8000) return bad("the exponent is not canonical");
  const std::uint64_t used = (bits.position() + 7) / 8;
  if (used != blob.size() - container::kHeaderBytes) return bad("bytes after the last chunk");
  if (bits.position() % 8 != 0 && (blob.back() >> (bits.position() % 8)) != 0) {
    return bad("the last byte is not padded with zeros");
  }
  return delta;
}

void Delta::Cursor::next(Chunk& out) {
  HARAMBEE_CHECK(!done());
  BitReader bits(delta_->blob_.subspan(container::kHeaderBytes), bit_);
  std::uint32_t mantissa = 0;
  const std::uint32_t length = chunk_length(delta_->parameters_, chunk_);
  const Flaw flaw = read_chunk(bits, form_of(delta_->kind_, delta_->keep_), length, mantissa, out);
  HARAMBEE_CHECK(flaw == Flaw::none);  // parse() has read the same bytes
  bit_ = bits.position();
  ++chunk_;
}

void add_scaled(const Delta& delta, float factor, std::span<float> values) {
  HARAMBEE_CHECK(float_mode_is_exact() && values.size() == delta.parameters());
  const auto unit = static_cast<float>(power_of_two(delta.exponent()));
  Delta::Chunk chunk;
  float* at = values.data();
  for (Delta::Cursor cursor(delta); !cursor.done(); at += kChunk) {
    cursor.next(chunk);
    for (std::uint32_t i = 0; i < chunk.size; ++i) {
      const float value = static_cast<float>(chunk.value[i]) * unit;
      at[chunk.place[i]] += factor * value;
    }
  }
}

std::vector<float> decode(const Delta& delta) {
  std::vector<float> values(delta.parameters());
  add_scaled(delta, 1.0F, values);
  return values;
}

}  // namespace harambee::exact

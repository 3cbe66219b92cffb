#include <bit>
#include <cstring>

#include "exact/codec.h"
#include "exact/container.h"
#include "exact/math.h"
#include "exact/rice.h"
#include "exact/rice_lanes.h"
#include "exact/sum_reader.h"

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

// What stands before a sparse chunk's values, the lower mantissa first.
struct SparseHead {
  Flaw flaw = Flaw::none;
  std::uint32_t low = 0;
  std::uint32_t high = 0;   // two_level's upper mantissa
  std::uint32_t count = 0;  // of values; 0 if nothing was sent
};

// All of it fits one look at the stream.
inline SparseHead read_sparse_head(BitReader& bits, const Form& form, std::uint32_t length) {
  constexpr std::uint64_t kMantissaMask = (1u << container::kMantissaBits) - 1;
  constexpr std::uint64_t kCountMask = (1u << container::kCountBits) - 1;
  SparseHead head;
  std::uint64_t word = bits.peek();
  head.low = static_cast<std::uint32_t>(word & kMantissaMask);
  if (head.low == 0) {
    bits.skip(container::kMantissaBits);
    return head;
  }
  unsigned used = container::kMantissaBits + 1;
  word >>= container::kMantissaBits;
  if (form.kind == Kind::two_level) {
    head.high = static_cast<std::uint32_t>(word & kMantissaMask);
    if (head.high != 0 && head.high <= head.low) head.flaw = Flaw::level;
    word >>= container::kMantissaBits;
    used += container::kMantissaBits;
  }
  head.count = std::min(form.keep, length);
  if ((word & 1) == 0) {
    const std::uint32_t most = head.count;
    head.count = static_cast<std::uint32_t>((word >> 1) & kCountMask);
    used += container::kCountBits;
    if (head.count == 0 || head.count >= most) head.flaw = Flaw::count;
  }
  bits.skip(used);
  return head;
}
static_assert(2 * container::kMantissaBits + 1 + container::kCountBits <= 57);

inline rice::Form rice_form(const Form& form, std::uint32_t length, const SparseHead& head) {
  return {.parameter = form.rice,
          .two_level = form.kind == Kind::two_level,
          .length = length,
          .level = {static_cast<std::int32_t>(head.low), static_cast<std::int32_t>(head.high)}};
}

Flaw read_sparse(BitReader& bits, const Form& form, std::uint32_t length, std::uint32_t& mantissa,
                 Delta::Chunk& out) {
  const SparseHead head = read_sparse_head(bits, form, length);
  mantissa = head.low;
  if (mantissa == 0 || head.flaw != Flaw::none) return head.flaw;
  const rice::Read read =
      rice::read_values(bits.bytes(), bits.position(), rice_form(form, length, head), head.count,
                        out.place.data(), out.value.data());
  bits.skip(read.position - bits.position());
  if (read.outside) return Flaw::place;
  out.size = head.count;
  // Both levels are used, or there is one.
  return (head.high != 0) == (read.highs != 0) && read.highs < head.count ? Flaw::none
                                                                          : Flaw::level;
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
  if (form.kind == Kind::sign || form.kind == Kind::two_level) {
    return read_sparse(bits, form, length, mantissa, out);
  }
  mantissa = bits.take(container::kMantissaBits);
  if (mantissa == 0) return Flaw::none;
  return read_dense(bits, form, length, mantissa, out);
}

// Adds the first four quarters of a sparse delta, side by side: chunk c of each, for all c below
// `quarter`. Where the last of them ends, in bits.
template <typename Addend>
std::uint64_t add_quarters(View stream, const Form& form, std::uint64_t quarter,
                           const std::array<std::uint64_t, 4>& begins, const Addend& addend,
                           float* values) {
  rice::Lanes lanes;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].position = begins[i];
    lanes[i].to = values + i * quarter * kChunk;
    for (rice::Lane::Waiting& one : lanes[i].waiting) one.to = lanes[i].to;
  }
  const rice::Form codes{.parameter = form.rice, .two_level = form.kind == Kind::two_level};
  for (std::uint64_t c = 0; c < quarter; ++c) {
    for (rice::Lane& lane : lanes) {
      BitReader bits(stream, lane.position);
      const SparseHead head = read_sparse_head(bits, form, kChunk);
      HARAMBEE_CHECK(head.flaw == Flaw::none);  // parse() has read the same bytes
      lane.position = bits.position();
      lane.left = head.count;
      lane.next = 0;
      const float low = addend(static_cast<std::int32_t>(head.low));
      const float high = addend(static_cast<std::int32_t>(head.high));
      lane.addend = {low, -low, high, -high};
    }
    HARAMBEE_CHECK(rice::add_lanes(stream, codes, lanes));
    for (rice::Lane& lane : lanes) lane.to += kChunk;
  }
  rice::add_waiting(lanes);
  return lanes.back().position;
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
  std::uint64_t quarter_end = delta.quarter();
  std::size_t next_quarter = 1;
  for (std::uint64_t c = 0; c < delta.chunks(); ++c) {
    std::uint32_t mantissa = 0;
    if (c == quarter_end && next_quarter < delta.quarter_begins_.size()) {
      delta.quarter_begins_[next_quarter++] = bits.position();
      quarter_end += delta.quarter();
    }
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

SumReader::SumReader(std::span<const Delta* const> deltas, std::span<const std::int64_t> weights) {
  HARAMBEE_CHECK(deltas.size() == weights.size());
  std::vector<rice::Stream> streams;
  streams.reserve(deltas.size());
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    const Delta& delta = *deltas[i];
    const bool sparse = delta.kind() == Kind::sign || delta.kind() == Kind::two_level;
    most_values_ += sparse ? delta.keep() : kChunk;
    if (!sparse) {
      dense_.push_back({Delta::Cursor(delta), weights[i]});
      continue;
    }
    streams.push_back({.bytes = delta.blob().subspan(container::kHeaderBytes),
                       .parameter = container::rice_parameter(delta.keep()),
                       .two_level = delta.kind() == Kind::two_level,
                       .keep = delta.keep(),
                       .weight = weights[i]});
  }
  sparse_ = rice::Streams(streams);
}

std::size_t SumReader::add_next(std::uint32_t length, const rice::Sums& sums,
                                const rice::Onto& onto) {
  std::size_t places = sparse_.add_next(length, sums, onto);
  HARAMBEE_CHECK(!sparse_.outside());  // parse() has read the same bytes
  Delta::Chunk chunk;
  for (Dense& one : dense_) {
    one.cursor.next(chunk);
    for (std::uint32_t j = 0; j < chunk.size; ++j) {
      sums.sum[chunk.place[j]] += one.weight * chunk.value[j];
    }
    if (sums.places == nullptr) continue;
    std::copy_n(chunk.place.begin(), chunk.size, sums.places + places);
    places += chunk.size;
  }
  return places;
}

void add_scaled(const Delta& delta, float factor, std::span<float> values) {
  HARAMBEE_CHECK(float_mode_is_exact() && values.size() == delta.parameters());
  const auto unit = static_cast<float>(power_of_two(delta.exponent()));
  const auto addend = [&](std::int32_t value) {
    return factor * (static_cast<float>(value) * unit);
  };
  const Form form = form_of(delta.kind_, delta.keep_);
  std::uint64_t done = 0, bit = 0;
  if (form.kind == Kind::sign || form.kind == Kind::two_level) {
    const View stream = delta.blob_.subspan(container::kHeaderBytes);
    bit = add_quarters(stream, form, delta.quarter(), delta.quarter_begins_, addend, values.data());
    done = 4 * delta.quarter();
  }
  Delta::Chunk chunk;
  for (Delta::Cursor cursor(delta, done, bit); !cursor.done(); ++done) {
    cursor.next(chunk);
    float* const to = values.data() + done * kChunk;
    for (std::uint32_t i = 0; i < chunk.size; ++i) to[chunk.place[i]] += addend(chunk.value[i]);
  }
}

std::vector<float> decode(const Delta& delta) {
  std::vector<float> values(delta.parameters());
  add_scaled(delta, 1.0F, values);
  return values;
}

}  // namespace harambee::exact

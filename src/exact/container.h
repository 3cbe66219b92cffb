// The bytes of a delta: constants and bit order, shared by the writer and the reader
// (spec/delta.md). Internal to this room.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "exact/codec.h"

namespace harambee::exact::container {

inline constexpr std::string_view kMagic = "HBD1";
inline constexpr std::size_t kKindAt = 4;
inline constexpr std::size_t kVersionAt = 5;
inline constexpr std::size_t kKeepAt = 6;        // u16
inline constexpr std::size_t kParametersAt = 8;  // u64
inline constexpr std::size_t kExponentAt = 16;   // i16
inline constexpr std::size_t kReservedAt = 18;   // u16, zero
inline constexpr std::size_t kBaseAt = 20;       // 32 bytes
inline constexpr std::size_t kAuthorAt = 52;     // 32 bytes
inline constexpr std::size_t kHeaderBytes = 84;
inline constexpr std::uint8_t kVersion = 2;

inline constexpr std::uint32_t kKeepMax = 2'048;
inline constexpr unsigned kMantissaBits = 16;
inline constexpr unsigned kCountBits = 12;  // of a chunk that keeps fewer than it may
static_assert(kKeepMax <= (1u << kCountBits), "counts of chunks that are not full fit");

// Rice parameter: nearest to log2(ln 2 · 4096 / keep), the best for places without structure.
// Measured on real messages the best parameter of a message is this one (reference: Rice 1979).
[[nodiscard]] inline unsigned rice_parameter(std::uint32_t keep) {
  return static_cast<unsigned>(std::bit_width(4'015u / keep)) - 1;
}

[[nodiscard]] inline std::uint32_t chunk_length(std::uint64_t parameters, std::uint64_t chunk) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kChunk, parameters - chunk * std::uint64_t{kChunk}));
}

// Bits are packed from the least significant bit of each byte up. Appends to `out`, whose size is
// only right again after finish().
class BitWriter {
 public:
  explicit BitWriter(Bytes& out) : out_(&out), at_(out.size()) {}
  // `value` has no bits beyond `count` ≤ 56.
  void put(std::uint64_t value, unsigned count) {
    if (at_ + sizeof held_ > out_->size()) [[unlikely]]
      grow();
    held_ |= value << bits_;
    bits_ += count;
    std::memcpy(out_->data() + at_, &held_, sizeof held_);
    at_ += bits_ / 8;
    held_ >>= bits_ & ~7u;
    bits_ &= 7;
  }
  // `ones` one-bits, a zero, then `count` bits of `value`, count ≤ 15.
  void put_rice(std::uint32_t ones, std::uint64_t value, unsigned count) {
    for (; ones > 40; ones -= 40) put((std::uint64_t{1} << 40) - 1, 40);
    put(((std::uint64_t{1} << ones) - 1) | (value << (ones + 1)), ones + 1 + count);
  }
  // The last byte is filled with zeros.
  void finish() { out_->resize(at_ + (bits_ + 7) / 8); }

 private:
  void grow() { out_->resize(2 * out_->size() + 4'096); }
  Bytes* out_;
  std::size_t at_;
  std::uint64_t held_ = 0;
  unsigned bits_ = 0;  // < 8 between calls
};
static_assert(std::endian::native == std::endian::little, "words are stored as they are");

// Reads beyond the end as zeros; the caller compares position() with the size at the end.
class BitReader {
 public:
  BitReader(View bytes, std::uint64_t position) : bytes_(bytes), position_(position) {}
  [[nodiscard]] View bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] bool overrun() const { return position_ > 8 * std::uint64_t{bytes_.size()}; }

  // At least 57 valid bits from the position on.
  [[nodiscard]] std::uint64_t peek() const {
    const std::uint64_t byte = position_ >> 3;
    std::uint64_t word = 0;
    if (byte + 8 <= bytes_.size()) [[likely]] {
      std::memcpy(&word, bytes_.data() + byte, 8);
    } else if (byte < bytes_.size()) {
      std::memcpy(&word, bytes_.data() + byte, bytes_.size() - byte);
    }
    return word >> (position_ & 7);
  }
  void skip(std::uint64_t bits) { position_ += bits; }
  [[nodiscard]] std::uint32_t take(unsigned count) {  // count ≤ 32
    const auto value = static_cast<std::uint32_t>(peek() & ((std::uint64_t{1} << count) - 1));
    position_ += count;
    return value;
  }
  // The number of one-bits before the next zero, which is consumed; stops counting above `most`.
  [[nodiscard]] std::uint32_t take_unary(std::uint32_t most) {
    std::uint32_t ones = 0;
    for (;;) {
      const auto run = static_cast<std::uint32_t>(std::countr_one(peek()));
      if (run < 56) {
        position_ += run + 1;
        return ones + run;
      }
      position_ += 56;
      ones += 56;
      if (ones > most) return ones;
    }
  }

 private:
  View bytes_;
  std::uint64_t position_ = 0;
};

}  // namespace harambee::exact::container

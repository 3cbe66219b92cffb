// SHA-256 (FIPS 180-4) through OpenSSL; and SHA-1, for names that other programs give to files.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  // By words, without a call: they are compared all the time.
  bool operator==(const Digest& other) const {
    return word(0) == other.word(0) && word(8) == other.word(8) && word(16) == other.word(16) &&
           word(24) == other.word(24);
  }
  // As the bytes sort. Digests nearly always differ in the first eight, and maps of them are looked
  // into all the time.
  std::strong_ordering operator<=>(const Digest& other) const {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      const std::uint64_t mine = word(at), theirs = other.word(at);
      if (mine != theirs) return mine <=> theirs;
    }
    return std::strong_ordering::equal;
  }
  [[nodiscard]] std::string hex() const;
  [[nodiscard]] View view() const { return bytes; }
  // 64 lower-case hex digits.
  [[nodiscard]] static Result<Digest> from_hex(std::string_view text);

 private:
  // Big-endian; compilers make one load of it.
  [[nodiscard]] std::uint64_t word(std::size_t at) const {
    const std::uint8_t* p = bytes.data() + at;
    return std::uint64_t{p[0]} << 56 | std::uint64_t{p[1]} << 48 | std::uint64_t{p[2]} << 40 |
           std::uint64_t{p[3]} << 32 | std::uint64_t{p[4]} << 24 | std::uint64_t{p[5]} << 16 |
           std::uint64_t{p[6]} << 8 | std::uint64_t{p[7]};
  }
};

struct DigestHash {
  [[nodiscard]] std::size_t operator()(const Digest& digest) const;
};

[[nodiscard]] Digest sha256(View bytes);
// SHA-256 of the concatenation, without joining the parts in memory.
[[nodiscard]] Digest sha256(std::initializer_list<View> parts);

// SHA-1 of the concatenation, 40 lower-case hex digits. Only to name what is protected otherwise:
// collisions can be made.
[[nodiscard]] std::string sha1_hex(std::initializer_list<View> parts);

// Incremental hashing. Not thread-safe; movable.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(View bytes);
  // The digest of all updates; the object starts afresh afterwards.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harambee

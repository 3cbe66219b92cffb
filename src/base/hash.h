// SHA-256 (FIPS 180-4) through OpenSSL; and SHA-1, for names that other programs give to files.
#pragma once

#include <array>
#include <compare>
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

  auto operator<=>(const Digest&) const = default;
  [[nodiscard]] std::string hex() const;
  [[nodiscard]] View view() const { return bytes; }
  // 64 lower-case hex digits.
  [[nodiscard]] static Result<Digest> from_hex(std::string_view text);
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

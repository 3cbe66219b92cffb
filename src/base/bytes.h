// Bytes and views of bytes. No word of our domain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace harambee {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

[[nodiscard]] inline View view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view text(View bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes to_bytes(std::string_view text) { return {text.begin(), text.end()}; }

// Fixed-width integers in the two byte orders that our formats use.
void put_u16be(Bytes& out, std::uint16_t value);
void put_u32be(Bytes& out, std::uint32_t value);
void put_u64be(Bytes& out, std::uint64_t value);
void put_u16le(Bytes& out, std::uint16_t value);
void put_u32le(Bytes& out, std::uint32_t value);
void put_u64le(Bytes& out, std::uint64_t value);
// The caller has checked that enough bytes are there.
[[nodiscard]] std::uint16_t get_u16be(const std::uint8_t* p);
[[nodiscard]] std::uint32_t get_u32be(const std::uint8_t* p);
[[nodiscard]] std::uint64_t get_u64be(const std::uint8_t* p);
[[nodiscard]] std::uint16_t get_u16le(const std::uint8_t* p);
[[nodiscard]] std::uint32_t get_u32le(const std::uint8_t* p);
[[nodiscard]] std::uint64_t get_u64le(const std::uint8_t* p);

}  // namespace harambee

#include "base/bytes.h"

namespace harambee {
namespace {

template <typename T>
void put_be(Bytes& out, T value) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

template <typename T>
void put_le(Bytes& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

template <typename T>
T get_be(const std::uint8_t* p) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | p[i]);
  return value;
}

template <typename T>
T get_le(const std::uint8_t* p) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = static_cast<T>((value << 8) | p[i]);
  return value;
}

}  // namespace

void put_u16be(Bytes& out, std::uint16_t value) { put_be(out, value); }
void put_u32be(Bytes& out, std::uint32_t value) { put_be(out, value); }
void put_u64be(Bytes& out, std::uint64_t value) { put_be(out, value); }
void put_u16le(Bytes& out, std::uint16_t value) { put_le(out, value); }
void put_u32le(Bytes& out, std::uint32_t value) { put_le(out, value); }
void put_u64le(Bytes& out, std::uint64_t value) { put_le(out, value); }

std::uint16_t get_u16be(const std::uint8_t* p) { return get_be<std::uint16_t>(p); }
std::uint32_t get_u32be(const std::uint8_t* p) { return get_be<std::uint32_t>(p); }
std::uint64_t get_u64be(const std::uint8_t* p) { return get_be<std::uint64_t>(p); }
std::uint16_t get_u16le(const std::uint8_t* p) { return get_le<std::uint16_t>(p); }
std::uint32_t get_u32le(const std::uint8_t* p) { return get_le<std::uint32_t>(p); }
std::uint64_t get_u64le(const std::uint8_t* p) { return get_le<std::uint64_t>(p); }

}  // namespace harambee

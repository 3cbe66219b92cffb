// Reading and writing the kept values of one sparse chunk (spec/delta.md), twice: one by one as the
// page says, and in groups, compiled for each instruction set. Internal to this room.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "exact/container.h"

namespace harambee::exact::rice {

struct Form {
  unsigned parameter = 0;      // bits of a gap's rest
  bool two_level = false;      // each value ends with a level bit
  std::uint32_t length = 0;    // parameters of the chunk
  std::int32_t level[2] = {};  // lower, upper mantissa

  [[nodiscard]] unsigned fixed() const { return parameter + (two_level ? 2 : 1); }
};

struct Read {
  std::uint64_t position = 0;  // the first bit that was not read
  std::uint32_t highs = 0;     // values of the upper level
  bool outside = false;        // a place was not below `length`; places and values mean nothing
  bool operator==(const Read&) const = default;
};

// Reads `count` values from bit `position` of `stream` on, zeros beyond its end.
[[nodiscard]] Read read_values(View stream, std::uint64_t position, const Form& form,
                               std::uint32_t count, std::uint16_t* place, std::int32_t* value);

// One contribution's chunk, to be added to the sums of all.
struct Lane {
  View stream;
  std::uint64_t position = 0;  // the first bit of the values; then the first that was not read
  Form form;
  std::uint32_t count = 0;  // values
  std::int64_t weight = 0;  // of one unit of a value
  bool outside = false;     // set if a place was not below `length`; it was not added then
};
inline constexpr std::size_t kLanesMax = 16;

// sums[place] ← sums[place] + weight · value for every value of every lane. Lanes are independent,
// so the processor reads several of them at once: one alone is a chain of bit positions.
// All have the same length; sums holds that many. At most kLanesMax lanes (a bug otherwise).
// `soon` is memory that the caller will write next: codes are read at the speed of the processor,
// so it can come from afar meanwhile. It is not touched.
void add_values(std::span<Lane> lanes, std::int64_t* sums, std::span<const float> soon);

// How values are written.
struct Written {
  unsigned parameter = 0;  // as in Form
  bool two_level = false;  // each value ends with a level bit
  bool one_level = true;   // kHigh is not looked at
  [[nodiscard]] unsigned fixed() const { return parameter + (two_level ? 2 : 1); }
};
// Values to be written: places of a chunk, ascending, with flags.
inline constexpr std::uint16_t kPlaceMask = 0x0FFF;
inline constexpr std::uint16_t kNegative = 0x8000;
inline constexpr std::uint16_t kHigh = 0x4000;  // of the upper level
static_assert(kChunk == kPlaceMask + 1u);

// Appends the codes that read_values() reads.
void write_values(container::BitWriter& bits, std::span<const std::uint16_t> kept,
                  const Written& form);

namespace reference {
void write_values(container::BitWriter& bits, std::span<const std::uint16_t> kept,
                  const Written& form);
void add_values(std::span<Lane> lanes, std::int64_t* sums);
[[nodiscard]] Read read_values(View stream, std::uint64_t position, const Form& form,
                               std::uint32_t count, std::uint16_t* place, std::int32_t* value);
}  // namespace reference

}  // namespace harambee::exact::rice

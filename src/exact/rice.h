// Reading and writing the kept values of one sparse chunk (spec/delta.md), twice: one by one as the
// page says, and in groups, compiled for each instruction set. Internal to this room.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

// A sparse delta's stream, which has been found canonical, and the weight of one unit of its
// values.
struct Stream {
  View bytes;
  std::uint64_t position = 0;  // the first bit of the next chunk
  unsigned parameter = 0;      // as in Form
  bool two_level = false;
  std::uint32_t keep = 0;
  std::int64_t weight = 0;
};

// What sums are to be added to, made ready while values are read: codes are read at the speed of
// the processor, so memory can come meanwhile.
struct Onto {
  enum class What { fetch, clear, scale };  // it is only asked for; out ← 0; out ← β·out + 0
  std::span<float> out;
  What what = What::fetch;
  float beta = 0;
};
// Where values go.
struct Sums {
  std::int64_t* sum;      // of each place
  std::uint16_t* places;  // the place of each value is written here, in any order, if not null
};

// Eight streams side by side, so that a vector can hold one thing of each: element i is stream i's.
// Streams that are not there have no bytes and no weight.
struct alignas(64) Eight {
  std::uint64_t address[8] = {}, size[8] = {}, position[8] = {};
  std::uint64_t parameter[8] = {}, fixed[8] = {}, two_level[8] = {}, keep[8] = {};
  std::int64_t weight[8] = {};
  // Of the chunk that is being read: the first place that may follow, how many values are left,
  // what a positive value of each level adds, whether a place was outside of the chunk.
  std::uint64_t next[8] = {}, left[8] = {};
  std::int64_t low[8] = {}, high[8] = {};
  std::uint64_t outside[8] = {};
};

// Many streams, read chunk by chunk. They are independent, so the processor reads several of them
// at once: one alone is a chain of bit positions.
class Streams {
 public:
  Streams() = default;
  explicit Streams(std::span<const Stream> streams);
  // sum[place] ← sum[place] + weight · value for every value of the next chunk, of `length`
  // parameters, of every stream. There are that many sums. Returns how many places were written.
  // A stream that leads outside of the chunk is read no further, and what it added is not defined.
  std::size_t add_next(std::uint32_t length, const Sums& sums, const Onto& onto);
  // Whether one was outside.
  [[nodiscard]] bool outside() const;
  [[nodiscard]] const std::vector<Eight>& eights() const { return eights_; }

 private:
  std::vector<Eight> eights_;
};

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
std::size_t add_next(std::span<Eight> streams, std::uint32_t length, const Sums& sums);
[[nodiscard]] Read read_values(View stream, std::uint64_t position, const Form& form,
                               std::uint32_t count, std::uint16_t* place, std::int32_t* value);
}  // namespace reference

}  // namespace harambee::exact::rice

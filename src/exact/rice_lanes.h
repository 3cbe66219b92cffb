// Adds the kept values of one sparse delta to floats, four of its chunks at a time. Codes of one
// chunk are a chain: where one ends, the next begins. Chunks at four places of the stream are four
// chains, which the processor follows at once. Internal to this room.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "exact/rice.h"

namespace harambee::exact::rice {

// A chunk of kChunk parameters whose head has been read, and the values before it that have been
// read and not yet added: their places have been asked for, and come while other values are read.
struct Lane {
  static constexpr std::size_t kWaiting = 16;
  struct Waiting {
    float* to = nullptr;
    float addend = -0.0F;  // changes no float
  };
  std::uint64_t position = 0;  // the first bit of the next code
  std::uint64_t left = 0;      // values that have not been read
  std::uint64_t next = 0;      // the first place that may follow
  float* to = nullptr;         // kChunk floats, which no other lane touches
  // What a value adds: by its flags (spec/delta.md), negative, then upper level.
  std::array<float, 4> addend{};
  std::array<Waiting, kWaiting> waiting{};  // a ring
  std::size_t turn = 0;                     // the oldest of them
};
using Lanes = std::array<Lane, 4>;

// Reads all values of all lanes: to[place] ← to[place] + addend, at the latest with add_waiting(),
// before which each waiting place must be that of a float. False: a place was outside of its chunk;
// what was added is not defined then. Reads zeros beyond the end of the stream.
[[nodiscard]] bool add_lanes(View stream, const Form& form, Lanes& lanes);
void add_waiting(Lanes& lanes);

namespace reference {
[[nodiscard]] bool add_lanes(View stream, const Form& form, Lanes& lanes);
}

}  // namespace harambee::exact::rice

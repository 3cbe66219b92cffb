// The integers of many deltas, added up chunk by chunk. Internal to this room.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exact/codec.h"
#include "exact/rice.h"

namespace harambee::exact {

class SumReader {
 public:
  SumReader() = default;
  // Borrows the deltas' blobs; all deltas have the same length.
  SumReader(std::span<const Delta* const> deltas, std::span<const std::int64_t> weights);

  // sums.sum[place] ← itself + weights[i] · value for every value of delta i in the next chunk, of
  // `length` parameters, while `onto` is made ready. The sums must fit. Returns how many of
  // sums.places were written, if they are not null: there must be room for most_values().
  std::size_t add_next(std::uint32_t length, const rice::Sums& sums, const rice::Onto& onto);
  // No chunk has more, all deltas together.
  [[nodiscard]] std::uint64_t most_values() const { return most_values_; }

 private:
  struct Dense {
    Delta::Cursor cursor;
    std::int64_t weight;
  };
  rice::Streams sparse_;
  std::vector<Dense> dense_;
  std::uint64_t most_values_ = 0;
};

}  // namespace harambee::exact

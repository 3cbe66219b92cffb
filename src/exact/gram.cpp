#include "exact/gram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/mutant.h"
#include "exact/aggregate.h"
#include "exact/math.h"
#include "exact/real.h"

namespace harambee::exact {
namespace {

using Integer = Gram::Integer;
constexpr std::int64_t kBillion = 1'000'000'000;

// One chunk of every contribution by place: who sends this parameter, and what. A list for each
// place, the latest sender first.
class Senders {
 public:
  struct Entry {
    std::uint32_t before;  // index of the entry before it at its place; kNone: the first
    std::uint32_t owner;
    std::int32_t value;
  };
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

  Senders() : last_(kChunk) {}

  void clear() {
    entry_.clear();
    std::ranges::fill(last_, kNone);
  }
  void push(std::uint32_t place, std::uint32_t owner, std::int32_t value) {
    const auto at = static_cast<std::uint32_t>(entry_.size());
    entry_.push_back({last_[place], owner, value});
    last_[place] = at;
  }
  // Calls visit(entry) for each sender of a place.
  template <typename Visit>
  void at(std::uint32_t place, const Visit& visit) const {
    for (std::uint32_t i = last_[place]; i != kNone; i = entry_[i].before) visit(entry_[i]);
  }

 private:
  std::vector<std::uint32_t> last_;
  std::vector<Entry> entry_;
};

// Walks all contributions side by side, and shows the chunks of a sample.
class Walk {
 public:
  // invalid, limit: as Gram::make.
  static Status check(std::span<const Delta> deltas, const Delta* previous) {
    if (deltas.empty()) return invalid("robust: no contributions");
    if (deltas.size() > kContributionsMax) {
      return fail(ErrorCode::limit, "robust: more than 1024 contributions");
    }
    const std::uint64_t parameters = deltas[0].parameters();
    const bool same = std::ranges::all_of(
        deltas, [&](const Delta& delta) { return delta.parameters() == parameters; });
    if (!same || (previous != nullptr && previous->parameters() != parameters)) {
      return invalid("robust: contributions of different length");
    }
    return ok();
  }

  Walk(std::span<const Delta> deltas, const Delta* previous, const Decimal& share,
       const Digest& seed)
      : sample_(deltas[0].chunks(), share, seed), decoded_(1) {
    cursors_.reserve(deltas.size() + 1);
    for (const Delta& delta : deltas) cursors_.emplace_back(delta);
    if (previous != nullptr) cursors_.emplace_back(*previous);
  }

  // Calls visit(point, chunk) for each point of the next sampled chunk; false if there is none.
  template <typename Visit>
  bool next(const Visit& visit) {
    while (!cursors_[0].done()) {
      const bool taken = sample_.next();
      for (std::size_t i = 0; i < cursors_.size(); ++i) {
        cursors_[i].next(decoded_[0]);
        if (taken) visit(static_cast<std::uint32_t>(i), decoded_[0]);
      }
      if (taken) return true;
    }
    return false;
  }

 private:
  ChunkSample sample_;
  std::vector<Delta::Cursor> cursors_;
  std::vector<Delta::Chunk> decoded_;
};

std::uint64_t square_sum(const Delta::Chunk& chunk) {
  std::uint64_t sum = 0;  // < 4096 · 2^46
  for (std::uint32_t i = 0; i < chunk.size; ++i) {
    sum += static_cast<std::uint64_t>(std::int64_t{chunk.value[i]} * chunk.value[i]);
  }
  return sum;
}

// One chunk of every contribution, ordered by place: who sends a parameter, and what, side by side
// in memory, owners ascending. Places with equally many senders are visited one after another, so
// that the loops over them do not surprise the processor.
class ByPlace {
 public:
  // (value of a place, owner)
  struct Entry {
    std::int32_t value;
    std::uint32_t owner;
  };

  ByPlace() : count_(kChunk), first_(kChunk), any_order_(kChunk) {}

  void clear() {
    std::ranges::fill(count_, 0);
    place_.clear();
    value_.clear();
    end_.clear();
  }
  // Of owner 0, 1, and so on.
  void push(const Delta::Chunk& chunk) {
    place_.insert(place_.end(), chunk.place.begin(), chunk.place.begin() + chunk.size);
    value_.insert(value_.end(), chunk.value.begin(), chunk.value.begin() + chunk.size);
    end_.push_back(place_.size());
    for (std::uint32_t i = 0; i < chunk.size; ++i) ++count_[chunk.place[i]];
  }
  // Calls visit(entries) for each place with two entries or more.
  template <typename Visit>
  void visit_shared(const Visit& visit) {
    order();
    for (const std::uint16_t place : shared_) {
      visit(std::span<const Entry>(&entry_[first_[place] - count_[place]], count_[place]));
    }
  }

 private:
  // Counting sorts: of entries by place, after which first_ is where a place ends, and of shared
  // places by their number of entries.
  void order() {
    std::uint32_t at = 0, shared = 0;
    for (std::uint32_t place = 0; place < kChunk; ++place) {
      const std::uint32_t count = count_[place];
      first_[place] = at;
      at += count;
      any_order_[shared] = static_cast<std::uint16_t>(place);
      shared += count >= 2;
    }
    entry_.resize(at);
    std::size_t i = 0;
    for (std::uint32_t owner = 0; owner < end_.size(); ++owner) {
      for (; i < end_[owner]; ++i) entry_[first_[place_[i]]++] = {value_[i], owner};
    }
    places_with_.assign(end_.size() + 2, 0);
    for (i = 0; i < shared; ++i) ++places_with_[count_[any_order_[i]] + 1];
    std::partial_sum(places_with_.begin(), places_with_.end(), places_with_.begin());
    shared_.resize(shared);
    for (i = 0; i < shared; ++i) shared_[places_with_[count_[any_order_[i]]]++] = any_order_[i];
  }

  std::vector<std::uint16_t> place_;
  std::vector<std::int32_t> value_;
  std::vector<std::size_t> end_;      // of each owner's values
  std::vector<std::uint32_t> count_;  // of each place's entries
  std::vector<std::uint32_t> first_;  // of each place's entries
  std::vector<Entry> entry_;          // by place
  std::vector<std::uint32_t> places_with_;
  std::vector<std::uint16_t> any_order_, shared_;  // places; by number of entries
};

// int64 sums of a few chunks, emptied into 128 bits before they could overflow: by Cauchy and
// Schwarz no sum is greater than the largest sum of squares.
class Sums {
 public:
  explicit Sums(std::size_t points) : points_(points), low_(points * points), high_(low_.size()) {}

  void begin_chunk() {
    senders_.clear();
    chunk_most_ = 0;
  }
  // Points in ascending order.
  void add(std::uint32_t point, const Delta::Chunk& chunk) {
    squares_.resize(points_);
    squares_[point] = square_sum(chunk);
    chunk_most_ = std::max(chunk_most_, squares_[point]);
    senders_.push(chunk);
  }
  void end_chunk() {
    if (chunk_most_ > kRoom - used_) flush();
    used_ += chunk_most_;
    for (std::size_t i = 0; i < squares_.size(); ++i) {
      low_[i * points_ + i] += static_cast<std::int64_t>(squares_[i]);
    }
    senders_.visit_shared([&](std::span<const ByPlace::Entry> entries) {
      for (std::size_t i = 1; i < entries.size(); ++i) {
        std::int64_t* const row = &low_[entries[i].owner * points_];
        const std::int64_t value = entries[i].value;
        for (std::size_t j = 0; j < i; ++j) row[entries[j].owner] += value * entries[j].value;
      }
    });
  }
  [[nodiscard]] std::vector<Integer> finish() {
    flush();
    return std::move(high_);
  }

 private:
  static constexpr std::uint64_t kRoom = std::uint64_t{1} << 62;

  void flush() {
    for (std::size_t i = 0; i < low_.size(); ++i) high_[i] += low_[i];
    std::ranges::fill(low_, 0);
    used_ = 0;
  }

  std::size_t points_;
  std::vector<std::int64_t> low_;
  std::vector<Integer> high_;
  std::vector<std::uint64_t> squares_;  // of this chunk
  std::uint64_t used_ = 0, chunk_most_ = 0;
  ByPlace senders_;
};

}  // namespace

ChunkSample::ChunkSample(std::uint64_t chunks, const Decimal& share, const Digest& seed)
    : rng_(sha256(
          {view("harambee chunks v1\n"), HARAMBEE_MUTANT("known-sample") ? View() : seed.view()})),
      chunks_left_(chunks) {
  HARAMBEE_CHECK(share.nanos > 0 && share.nanos <= kBillion);
  const uint128 part =
      (static_cast<uint128>(chunks) * static_cast<std::uint64_t>(share.nanos) + kBillion - 1) /
      kBillion;
  size_ = std::max(static_cast<std::uint64_t>(part), std::min(chunks, kSampleChunksMin));
  wanted_ = size_;
}

bool ChunkSample::next() {
  HARAMBEE_CHECK(chunks_left_ > 0);
  const bool taken = wanted_ == chunks_left_ || rng_.below(chunks_left_) < wanted_;
  --chunks_left_;
  wanted_ -= taken;
  return taken;
}

Result<Gram> Gram::make(std::span<const Delta> deltas, const Delta* previous, const Decimal& share,
                        const Digest& seed) {
  if (Status usable = Walk::check(deltas, previous); !usable) return usable.error();
  Gram out;
  for (const Delta& delta : deltas) out.exponent_.push_back(delta.exponent());
  if (previous != nullptr) out.exponent_.push_back(previous->exponent());
  Walk walk(deltas, previous, share, seed);
  Sums sums(out.size());
  for (;;) {
    sums.begin_chunk();
    const bool more =
        walk.next([&](std::uint32_t point, const Delta::Chunk& chunk) { sums.add(point, chunk); });
    if (!more) break;
    sums.end_chunk();
  }
  out.sum_ = sums.finish();
  return out;
}

double Gram::value(std::size_t i, std::size_t j) const {
  return std::ldexp(static_cast<double>(integer(i, j)), exponent(i) + exponent(j));
}

bool Gram::similar(std::size_t i, std::size_t j, const Decimal& threshold) const {
  const Integer inner = integer(i, j);
  if (inner <= 0) return false;
  // ⟨x,y⟩² > t² ‖x‖² ‖y‖², with the exponents cancelled. Each side as roots of 63 bits: the
  // integers are below 2^82, their squares would not fit.
  const Real norms = product(root({static_cast<uint128>(integer(i, i)), 0}),
                             root({static_cast<uint128>(integer(j, j)), 0}));
  const Real right = product(norms, Real{static_cast<std::uint64_t>(threshold.nanos), 0});
  const int shift = std::max(bit_width(static_cast<uint128>(inner)) - 62, 0);
  const Real left = product({static_cast<std::uint64_t>(inner >> shift), shift},
                            Real{static_cast<std::uint64_t>(kBillion), 0});
  if (left.top() != right.top()) return left.top() > right.top();
  const auto aligned = [](const Real& real) {
    return real.mantissa << (63 - std::bit_width(real.mantissa));
  };
  return aligned(left) > aligned(right);
}

std::vector<std::uint32_t> similar_groups(const Gram& gram, std::size_t count,
                                          const Decimal& threshold) {
  HARAMBEE_CHECK(count <= gram.size());
  std::vector<std::uint32_t> group(count);
  std::iota(group.begin(), group.end(), 0);
  if (threshold.nanos <= 0) return group;
  const auto first_of = [&](std::uint32_t i) {
    while (group[i] != i) i = group[i];
    return i;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t j = 0; j < i; ++j) {
      if (!gram.similar(i, j, threshold)) continue;
      const std::uint32_t a = first_of(i), b = first_of(j);
      group[std::max(a, b)] = std::min(a, b);
    }
  }
  for (std::uint32_t i = 0; i < count; ++i) group[i] = first_of(i);
  return group;
}

Result<std::vector<std::uint32_t>> exclusive_shares(std::span<const Delta> deltas,
                                                    std::span<const std::uint32_t> group,
                                                    const Decimal& share, const Digest& seed) {
  if (Status usable = Walk::check(deltas, nullptr); !usable) return usable.error();
  HARAMBEE_CHECK(group.size() == deltas.size());
  std::vector<uint128> all(deltas.size()), exclusive(deltas.size());
  Walk walk(deltas, nullptr, share, seed);
  Senders senders;
  for (;;) {
    senders.clear();
    const bool more = walk.next([&](std::uint32_t point, const Delta::Chunk& chunk) {
      for (std::uint32_t i = 0; i < chunk.size; ++i) {
        senders.push(chunk.place[i], point, chunk.value[i]);
      }
    });
    if (!more) break;
    for (std::uint32_t place = 0; place < kChunk; ++place) {
      std::uint32_t someone = Senders::kNone;
      bool alone = true;
      senders.at(place, [&](const Senders::Entry& one) {
        if (someone == Senders::kNone) someone = group[one.owner];
        alone = alone && group[one.owner] == someone;
      });
      senders.at(place, [&](const Senders::Entry& one) {
        const auto square = static_cast<std::uint64_t>(std::int64_t{one.value} * one.value);
        all[one.owner] += square;
        if (alone) exclusive[one.owner] += square;
      });
    }
  }
  std::vector<std::uint32_t> out(deltas.size());
  for (std::size_t i = 0; i < out.size(); ++i) {  // sums < 2^82, so the shift fits
    if (all[i] != 0) out[i] = static_cast<std::uint32_t>((exclusive[i] << 30) / all[i]);
  }
  return out;
}

std::vector<Integer> reference::gram(std::span<const Delta> deltas, const Delta* previous,
                                     const Decimal& share, const Digest& seed) {
  const std::uint64_t parameters = deltas[0].parameters();
  ChunkSample sample(deltas[0].chunks(), share, seed);
  std::vector<bool> taken;
  for (std::uint64_t c = 0; c < deltas[0].chunks(); ++c) taken.push_back(sample.next());
  std::vector<std::vector<std::int32_t>> points;
  const auto decode = [&](const Delta& delta) {
    std::vector<std::int32_t>& values = points.emplace_back(parameters);
    Delta::Chunk chunk;
    std::size_t c = 0;
    for (Delta::Cursor cursor(delta); !cursor.done(); ++c) {
      cursor.next(chunk);
      for (std::uint32_t i = 0; taken[c] && i < chunk.size; ++i) {
        values[c * kChunk + chunk.place[i]] = chunk.value[i];
      }
    }
  };
  for (const Delta& delta : deltas) decode(delta);
  if (previous != nullptr) decode(*previous);
  std::vector<Integer> out;
  for (const auto& a : points) {
    for (const auto& b : points) {
      Integer sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += std::int64_t{a[i]} * b[i];
      out.push_back(sum);
    }
  }
  return out;
}

}  // namespace harambee::exact

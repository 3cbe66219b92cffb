// Eight streams in one vector, for instruction sets that shift and convert 64-bit elements by
// themselves. Included by rice.cpp for each of them, between its own functions; no include guard on
// purpose.

using D = hn::FixedTag<std::uint64_t, 8>;
using DI = hn::FixedTag<std::int64_t, 8>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

HWY_INLINE M AtMost(V a, V b) { return hn::Eq(hn::Min(a, b), a); }

// At least 57 bits of each stream from its position on, where eight bytes can be read.
struct Window {
  V word;
  M readable;
};
HWY_INLINE Window Look(const Eight& streams, V position) {
  static constexpr std::uint64_t kNothing = 0;
  const D d;
  const DI di;
  const V byte = hn::ShiftRight<3>(position);
  const M readable = AtMost(hn::Add(byte, hn::Set(d, 8)), hn::Load(d, streams.size));
  const V nothing = hn::Set(d, reinterpret_cast<std::uintptr_t>(&kNothing));
  const V address = hn::IfThenElse(readable, hn::Add(hn::Load(d, streams.address), byte), nothing);
  const V word = hn::GatherOffset(d, &kNothing, hn::BitCast(di, hn::Sub(address, nothing)));
  return {hn::Shr(word, hn::And(position, hn::Set(d, 7))), readable};
}

// What read_head() reads.
HWY_INLINE void ReadHeads(Eight& streams, std::uint32_t length) {
  const D d;
  const V position = hn::Load(d, streams.position);
  const Window window = Look(streams, position);
  const V keep = hn::Load(d, streams.keep);
  if (!hn::AllTrue(d, hn::Or(window.readable, hn::Eq(keep, hn::Zero(d))))) {
    for (std::size_t i = 0; i < 8; ++i) read_head(streams, i, length);
    return;
  }
  const V mantissa = hn::Set(d, (1u << container::kMantissaBits) - 1), one = hn::Set(d, 1);
  const V low = hn::And(window.word, mantissa);
  const M sends = hn::Ne(low, hn::Zero(d));
  V word = hn::ShiftRight<container::kMantissaBits>(window.word);
  const M two_level = hn::Ne(hn::Load(d, streams.two_level), hn::Zero(d));
  const V high = hn::IfThenElseZero(two_level, hn::And(word, mantissa));
  const V upper = hn::IfThenElseZero(two_level, hn::Set(d, container::kMantissaBits));
  word = hn::Shr(word, upper);
  const M full = hn::Eq(hn::And(word, one), one);
  const V counted = hn::And(hn::ShiftRight<1>(word), hn::Set(d, (1u << container::kCountBits) - 1));
  const V count = hn::IfThenElse(full, hn::Min(keep, hn::Set(d, length)), counted);
  const V rest =
      hn::Add(hn::Add(upper, one), hn::IfThenZeroElse(full, hn::Set(d, container::kCountBits)));
  const V used = hn::Add(hn::Set(d, container::kMantissaBits), hn::IfThenElseZero(sends, rest));
  hn::Store(hn::Add(position, used), d, streams.position);
  hn::Store(hn::IfThenElseZero(sends, count), d, streams.left);
  hn::Store(hn::Zero(d), d, streams.next);
  hn::Store(hn::Zero(d), d, streams.outside);
  const DI di;
  const auto weight = hn::Load(di, streams.weight);
  hn::Store(hn::Mul(weight, hn::BitCast(di, low)), di, streams.low);
  hn::Store(hn::Mul(weight, hn::BitCast(di, high)), di, streams.high);
}

// Values that have been read and are added later: reading is a chain that waits for itself, adding
// what is known already is not.
class Found {
 public:
  Found(Sink& sink, std::uint32_t length) : sink_(sink), length_(length) {}

  void add_all() {
    for (std::uint32_t i = added_; i < count_; ++i) add(i);
    if (sink_.step != 0) std::copy_n(place_, count_, sink_.places);
    sink_.wrote(count_);
    count_ = added_ = 0;
  }

  // The next group of each stream that has one. Vectors take turns value by value: the processor
  // looks only so far ahead, and each of them waits for itself.
  template <std::size_t kVectors>
  HWY_INLINE void read(Eight* streams) {
    const D d;
    V place[kVectors][kGroup];
    hn::Vec<DI> addend[kVectors][kGroup];
    Codes codes[kVectors];
    const bool adds = count_ - added_ >= 8 * kVectors * kGroup;
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) codes[v] = Begin(streams[v]);
#pragma GCC unroll 4
    for (std::uint32_t j = 0; j < kGroup; ++j) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kVectors; ++v) {
        Next(streams[v], codes[v], place[v][j], addend[v][j]);
      }
      // What was read before, while this waits.
      if (HWY_LIKELY(adds)) {
#pragma GCC unroll 16
        for (std::uint32_t i = 0; i < 8 * kVectors; ++i) add(added_ + i);
        added_ += 8 * kVectors;
      }
    }
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) {
      const M read = End(streams[v], codes[v]);
      keep(place[v], addend[v], read);
      const M slow = hn::AndNot(read, codes[v].has_group);
      if (HWY_UNLIKELY(!hn::AllFalse(d, slow))) add_slowly(streams[v], slow);
    }
  }

 private:
  static constexpr std::uint32_t kMost = 512;  // values that wait
  struct Codes {
    V word;  // what is left of the window, inverted
    V next;  // the first place that may follow
    V used;  // bits
    M readable, has_group;
  };

  static HWY_INLINE Codes Begin(const Eight& streams) {
    const D d;
    const V four = hn::Set(d, kGroup);
    const Window window = Look(streams, hn::Load(d, streams.position));
    const V bits = hn::Add(hn::Load(d, streams.fixed), hn::Set(d, 1));
    return {.word = hn::Not(window.word),
            .next = hn::Load(d, streams.next),
            .used = hn::ShiftLeft<2>(bits),
            .readable = window.readable,
            .has_group = AtMost(four, hn::Load(d, streams.left))};
  }

  // Which streams have read their group.
  HWY_INLINE M End(Eight& streams, const Codes& codes) const {
    const D d;
    const V left = hn::Load(d, streams.left), position = hn::Load(d, streams.position);
    const M inside =
        hn::And(AtMost(codes.used, hn::Set(d, 56)), AtMost(codes.next, hn::Set(d, length_)));
    const M read = hn::And(codes.has_group, hn::And(codes.readable, inside));
    hn::Store(hn::IfThenElse(read, hn::Add(position, codes.used), position), d, streams.position);
    hn::Store(hn::IfThenElse(read, codes.next, hn::Load(d, streams.next)), d, streams.next);
    hn::Store(hn::IfThenElse(read, hn::Sub(left, hn::Set(d, kGroup)), left), d, streams.left);
    return read;
  }

  static HWY_INLINE void Next(const Eight& streams, Codes& codes, V& place, hn::Vec<DI>& addend) {
    const D d;
    const DI di;
    const hn::RebindToFloat<D> df;
    const V parameter = hn::Load(d, streams.parameter), one = hn::Set(d, 1);
    const V sign_bit = hn::Shl(one, parameter);
    // The lowest one-bit as a double has its place as the exponent. The highest, or none, give
    // numbers beyond any window.
    const V lowest = hn::And(codes.word, hn::Sub(hn::Zero(d), codes.word));
    const V exponent =
        hn::ShiftRight<52>(hn::BitCast(d, hn::ConvertTo(df, hn::BitCast(di, lowest))));
    const V quotient = hn::Sub(exponent, hn::Set(d, 1'023));
    codes.used = hn::Add(codes.used, quotient);
    V word = hn::ShiftRight<1>(hn::Shr(codes.word, quotient));
    const V rest = hn::AndNot(word, hn::Sub(sign_bit, one));
    place = hn::Add(codes.next, hn::Add(hn::Shl(quotient, parameter), rest));
    codes.next = hn::Add(place, one);
    const M positive = hn::TestBit(word, sign_bit);
    const V high_bit = hn::Shl(hn::Load(d, streams.two_level), hn::Add(parameter, one));
    const M low = hn::Eq(hn::And(word, high_bit), high_bit);
    const auto magnitude = hn::IfThenElse(hn::RebindMask(di, low), hn::Load(di, streams.low),
                                          hn::Load(di, streams.high));
    addend = hn::IfThenElse(hn::RebindMask(di, positive), magnitude, hn::Neg(magnitude));
    codes.word = hn::Shr(word, hn::Load(d, streams.fixed));
  }

  HWY_INLINE void add(std::uint32_t i) { sink_.sum[place_[i]] += addend_[i]; }

  HWY_INLINE void keep(const V* place, const hn::Vec<DI>* addend, M read) {
    const D d;
    const DI di;
    const hn::Rebind<std::uint16_t, D> d16;
    if (count_ + 8 * kGroup > kMost) add_all();
    if (HWY_LIKELY(hn::AllTrue(d, read))) {
#pragma GCC unroll 4
      for (std::uint32_t j = 0; j < kGroup; ++j, count_ += 8) {
        hn::StoreU(hn::TruncateTo(d16, place[j]), d16, place_ + count_);
        hn::StoreU(addend[j], di, addend_ + count_);
      }
      return;
    }
    const auto some = static_cast<std::uint32_t>(hn::CountTrue(d, read));
    for (std::uint32_t j = 0; j < kGroup; ++j, count_ += some) {
      hn::StoreU(hn::TruncateTo(d16, hn::Compress(place[j], read)), d16, place_ + count_);
      hn::StoreU(hn::Compress(addend[j], hn::RebindMask(di, read)), di, addend_ + count_);
    }
  }

  HWY_NOINLINE void add_slowly(Eight& streams, M which) {
    std::uint8_t bits = 0;
    hn::StoreMaskBits(D(), which, &bits);
    for (std::size_t i = 0; i < 8; ++i) {
      if ((bits >> i) & 1) AddSlowly(streams, i, kGroup, length_, sink_);
    }
  }

  Sink& sink_;
  std::uint32_t length_;
  std::uint32_t count_ = 0, added_ = 0;
  alignas(64) std::uint16_t place_[kMost + 8];
  alignas(64) std::int64_t addend_[kMost + 8];
};

HWY_INLINE std::uint64_t Groups(const Eight& streams) {
  return hn::GetLane(hn::MaxOfLanes(D(), hn::Load(D(), streams.left))) / kGroup;
}

void AddTogether(std::span<Eight> streams, std::uint32_t length, Sink& sink, const Onto& onto) {
  // Two vectors at once: each waits for itself.
  constexpr std::size_t kAtOnce = 2;
  std::uint64_t turns = 0;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    ReadHeads(streams[i], length);
    if (i % kAtOnce == 0) turns += Groups(streams[i]);
  }
  Ready ready(onto, turns);
  Found found(sink, length);
  for (std::size_t first = 0; first < streams.size(); first += kAtOnce) {
    const auto some = streams.subspan(first, std::min(kAtOnce, streams.size() - first));
    for (;;) {
      // Where hardly any stream has a group left, as after the others' end, one by one is faster.
      std::size_t with_group = 0;
      for (const Eight& eight : some) {
        with_group += hn::CountTrue(D(), AtMost(hn::Set(D(), kGroup), hn::Load(D(), eight.left)));
      }
      if (with_group <= 2 * some.size()) break;
      ready.some();
      if (some.size() == 2) {
        found.read<2>(some.data());
      } else {
        found.read<1>(some.data());
      }
    }
    const bool rest = std::ranges::any_of(some, [](const Eight& eight) {
      return !hn::AllTrue(D(), hn::Eq(hn::Load(D(), eight.left), hn::Zero(D())));
    });
    if (rest) AddRest(some, length, sink, ready);
  }
  found.add_all();
  ready.rest();
}

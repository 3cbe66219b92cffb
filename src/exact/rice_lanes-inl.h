// Eight lanes side by side in one vector, for instruction sets that shift and convert 64-bit
// elements by themselves. Included once for each of them by rice.cpp, between its own functions; no
// include guard on purpose.

// The state of eight lanes between groups: element i is lane i's. Lanes that are not there have
// nothing left.
struct alignas(64) Block {
  std::uint64_t address[8] = {};  // of the stream
  std::int64_t last[8] = {};      // the last byte at which eight can be read
  std::uint64_t position[8] = {};
  std::uint64_t next[8] = {};
  std::uint64_t left[8] = {};
  std::uint64_t parameter[8] = {};
  std::uint64_t fixed[8] = {};
  std::uint64_t length[8] = {};
  std::int64_t low[8] = {}, high[8] = {};  // what a positive value of each level adds
  std::uint64_t high_bit[8] = {};          // of the flags; 0 if there is one level
  // What the last group found, value by value.
  std::uint64_t place[kLaneGroup][8];
  std::int64_t addend[kLaneGroup][8];
};

HWY_INLINE void Enter(Block& block, std::size_t i, const Running& running, const Lane& lane) {
  block.address[i] = reinterpret_cast<std::uintptr_t>(running.bytes);
  block.last[i] = static_cast<std::int64_t>(running.size) - 8;
  block.position[i] = running.position;
  block.next[i] = running.next;
  block.left[i] = running.left;
  block.parameter[i] = running.parameter;
  block.fixed[i] = running.fixed;
  block.length[i] = lane.form.length;
  block.low[i] = running.addend[3];
  block.high[i] = running.addend[1];
  block.high_bit[i] = lane.form.two_level ? std::uint64_t{2} << running.parameter : 0;
}

HWY_INLINE void Leave(const Block& block, std::size_t i, Running& running) {
  running.position = block.position[i];
  running.next = block.next[i];
  running.left = static_cast<std::uint32_t>(block.left[i]);
}

// A group of each lane that has one; false, and nothing is done, if hardly any has.
HWY_INLINE bool AddGroups(Block& block, Running* running, Lane* lanes, std::int64_t* sums) {
  static const std::uint64_t nothing = 0;
  const hn::FixedTag<std::uint64_t, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToFloat<decltype(d)> df;
  const auto four = hn::Set(d, kLaneGroup);
  const auto one = hn::Set(d, 1);
  const auto left = hn::Load(d, block.left);
  const auto has_group = hn::Eq(hn::Min(left, four), four);
  if (hn::CountTrue(d, has_group) < 3) return false;

  const auto position = hn::Load(d, block.position);
  const auto byte = hn::ShiftRight<3>(position);
  const auto beyond = hn::Gt(hn::BitCast(di, byte), hn::Load(di, block.last));
  const auto readable = hn::AndNot(hn::RebindMask(d, beyond), has_group);
  const auto dummy = hn::Set(d, reinterpret_cast<std::uintptr_t>(&nothing));
  const auto address = hn::IfThenElse(readable, hn::Add(hn::Load(d, block.address), byte), dummy);
  auto word = hn::GatherOffset(d, &nothing, hn::BitCast(di, hn::Sub(address, dummy)));
  word = hn::Not(hn::Shr(word, hn::And(position, hn::Set(d, 7))));

  const auto parameter = hn::Load(d, block.parameter);
  const auto fixed = hn::Load(d, block.fixed);
  const auto rest_mask = hn::Sub(hn::Shl(one, parameter), one);
  const auto sign_bit = hn::Shl(one, parameter);
  const auto high_bit = hn::Load(d, block.high_bit);
  const auto low = hn::Load(di, block.low), high = hn::Load(di, block.high);
  auto next = hn::Load(d, block.next);
  auto used = hn::Mul(hn::Add(fixed, one), four);
  for (std::uint32_t j = 0; j < kLaneGroup; ++j) {
    // The lowest one-bit as a double has its place as the exponent. No one-bit, or the highest,
    // give numbers beyond any window.
    const auto lowest = hn::And(word, hn::Sub(hn::Zero(d), word));
    const auto exponent =
        hn::ShiftRight<52>(hn::BitCast(d, hn::ConvertTo(df, hn::BitCast(di, lowest))));
    const auto quotient = hn::Sub(exponent, hn::Set(d, 1'023));
    used = hn::Add(used, quotient);
    word = hn::ShiftRight<1>(hn::Shr(word, quotient));
    const auto place =
        hn::Add(next, hn::Add(hn::Shl(quotient, parameter), hn::AndNot(word, rest_mask)));
    next = hn::Add(place, one);
    hn::Store(place, d, block.place[j]);
    const auto positive = hn::RebindMask(di, hn::TestBit(word, sign_bit));
    const auto is_low = hn::RebindMask(di, hn::Eq(hn::And(word, high_bit), high_bit));
    const auto magnitude = hn::IfThenElse(is_low, low, high);
    hn::Store(hn::IfThenElse(positive, magnitude, hn::Neg(magnitude)), di, block.addend[j]);
    word = hn::Shr(word, fixed);
  }
  const auto at_most = [](auto a, auto b) { return hn::Eq(hn::Min(a, b), a); };
  const auto inside =
      hn::And(at_most(used, hn::Set(d, 56)), at_most(next, hn::Load(d, block.length)));
  const auto read = hn::And(readable, inside);
  hn::Store(hn::IfThenElse(read, hn::Add(position, used), position), d, block.position);
  hn::Store(hn::IfThenElse(read, next, hn::Load(d, block.next)), d, block.next);
  hn::Store(hn::IfThenElse(read, hn::Sub(left, four), left), d, block.left);

  std::uint8_t has = 0, done = 0;
  hn::StoreMaskBits(d, has_group, &has);
  hn::StoreMaskBits(d, read, &done);
  if (HWY_LIKELY(done == 0xFF)) {
#pragma GCC unroll 4
    for (std::uint32_t j = 0; j < kLaneGroup; ++j) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < 8; ++i) sums[block.place[j][i]] += block.addend[j][i];
    }
    return true;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if ((done >> i) & 1) {
      for (std::uint32_t j = 0; j < kLaneGroup; ++j) sums[block.place[j][i]] += block.addend[j][i];
    } else if ((has >> i) & 1) {
      Leave(block, i, running[i]);
      AddSlowly(running[i], lanes[i], kLaneGroup, sums);
      Enter(block, i, running[i], lanes[i]);
    }
  }
  return true;
}

// As many groups as are worth a vector; the rest is left to be read lane by lane.
HWY_INLINE void AddVectors(Running* running, std::span<Lane> lanes, std::int64_t* sums,
                           Fetch& fetch) {
  Block block[kLanesMax / 8];
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    Enter(block[i / 8], i % 8, running[i], lanes[i]);
  }
  const std::size_t blocks = (lanes.size() + 7) / 8;
  for (bool more = blocks != 0; more;) {
    more = false;
    for (std::size_t b = 0; b < blocks; ++b) {
      fetch.some(8);
      more |= AddGroups(block[b], running + 8 * b, lanes.data() + 8 * b, sums);
    }
  }
  for (std::size_t i = 0; i < lanes.size(); ++i) Leave(block[i / 8], i % 8, running[i]);
}

// The vectorised loops return the reference's bits on every instruction set of this machine.
#include "exact/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "exact/container.h"
#include "exact/math.h"
#include "exact/rice.h"
#include "exact/rice_lanes.h"
#include "tests/exact/numbers.h"

namespace harambee::exact {
namespace {

class Kernels : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { kernels::use_target(GetParam()); }
  void TearDown() override { kernels::use_target(""); }
};

// Lengths around the vector widths.
const std::vector<std::uint32_t> kLengths{0, 1, 3, 4, 5, 8, 15, 16, 17, 31, 63, 64, 65, 100, 4'096};

// Numbers of many magnitudes, with subnormals, zeros of both signs and repetitions.
std::vector<float> varied(const std::string& seed, std::size_t n) {
  Rng rng = rng_of(seed);
  std::vector<float> out(n);
  for (float& x : out) {
    const std::uint64_t bits = rng.next();
    switch (bits % 8) {
      case 0:
        x = bits & 8 ? 0.0F : -0.0F;
        break;
      case 1:
        x = std::bit_cast<float>(static_cast<std::uint32_t>(bits >> 41));
        break;
      case 2:
        x = 0.5F;
        break;
      default: {
        const auto exponent = static_cast<std::uint32_t>(87 + (bits >> 32) % 60);
        x = std::bit_cast<float>((static_cast<std::uint32_t>(bits >> 8) & 0x807F'FFFFu) |
                                 (exponent << 23));
      }
    }
  }
  return out;
}

template <typename T>
void expect_same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(T)), 0);
}

TEST_P(Kernels, Accumulate) {
  for (const std::uint32_t n : kLengths) {
    std::vector<float> fast = varied("e", n), slow = fast;
    const std::vector<float> base = varied("b", n), trained = varied("t", n);
    kernels::accumulate(fast.data(), 0.95F, base.data(), trained.data(), n);
    kernels::reference::accumulate(slow.data(), 0.95F, base.data(), trained.data(), n);
    expect_same_bits(fast, slow);
  }
}

TEST_P(Kernels, Select) {
  for (const std::uint32_t n : kLengths) {
    const std::vector<float> x = varied("x", n);
    EXPECT_EQ(kernels::max_bits(x.data(), n), kernels::reference::max_bits(x.data(), n));
    for (const std::uint32_t threshold :
         {1u, 2u, std::bit_cast<std::uint32_t>(0.5F), std::bit_cast<std::uint32_t>(0.5F) + 1,
          std::bit_cast<std::uint32_t>(100.0F), kernels::kMagnitudeBits}) {
      std::vector<std::uint32_t> fast(n + kernels::kPlaceSlack), slow(n + kernels::kPlaceSlack);
      std::uint32_t largest = 0;
      const std::uint32_t found = kernels::at_least(x.data(), n, threshold, fast.data(), &largest);
      EXPECT_EQ(largest, kernels::reference::max_bits(x.data(), n));
      ASSERT_EQ(found, kernels::reference::at_least(x.data(), n, threshold, slow.data(), &largest));
      EXPECT_TRUE(std::equal(fast.begin(), fast.begin() + found, slow.begin()));
    }
  }
}

TEST_P(Kernels, Count) {
  Rng rng = rng_of("count");
  for (const std::uint32_t n : kLengths) {
    std::vector<std::uint32_t> bits(n);
    for (std::uint32_t& b : bits) b = static_cast<std::uint32_t>(rng.next() >> 33);
    if (n > 2) bits[1] = kernels::kMagnitudeBits;
    for (const std::uint32_t threshold : {1u, 1u << 30, kernels::kMagnitudeBits}) {
      EXPECT_EQ(kernels::count_at_least(bits.data(), n, threshold),
                kernels::reference::count_at_least(bits.data(), n, threshold));
    }
  }
}

TEST_P(Kernels, Rank) {
  Rng rng = rng_of("rank");
  for (const std::uint32_t n : kLengths) {
    std::vector<std::uint32_t> bits(n);
    // Many equal ones, and zeros, which never count.
    for (std::uint32_t& b : bits) b = 0x3F80'0000u + static_cast<std::uint32_t>(rng.below(n));
    for (std::uint32_t i = 0; i < n; i += 5) bits[i] = 0;
    const std::uint32_t reach = kernels::reference::count_at_least(bits.data(), n, 1);
    for (std::uint32_t keep = 1; keep <= reach; keep += 1 + keep / 2) {
      for (const std::uint32_t most : {0x3F80'0000u + n, kernels::kMagnitudeBits}) {
        EXPECT_EQ(kernels::threshold_of(bits.data(), n, keep, 1, most),
                  kernels::reference::threshold_of(bits.data(), n, keep, 1, most));
      }
    }
    for (const std::uint32_t threshold : {1u, 0x3F80'0000u + n / 2, kernels::kMagnitudeBits}) {
      const double fast = kernels::exact_sum_at_least(bits.data(), n, threshold);
      const double slow = kernels::reference::exact_sum_at_least(bits.data(), n, threshold);
      EXPECT_EQ(std::bit_cast<std::uint64_t>(fast), std::bit_cast<std::uint64_t>(slow));
    }
  }
}

TEST_P(Kernels, MagnitudeSum) {
  for (const std::uint32_t n : {0u, 16u, 32u, 48u, 1'024u}) {
    const std::vector<float> x = varied("sum", n);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(kernels::magnitude_sum(x.data(), n)),
              std::bit_cast<std::uint32_t>(kernels::reference::magnitude_sum(x.data(), n)));
  }
}

TEST_P(Kernels, NotANumberIsTheLargest) {
  for (std::uint32_t at = 0; at < 70; ++at) {
    std::vector<float> x(70, 1.0F);
    x[at] = -std::numeric_limits<float>::quiet_NaN();
    EXPECT_GT(kernels::max_bits(x.data(), 70),
              std::bit_cast<std::uint32_t>(std::numeric_limits<float>::infinity()));
  }
}

TEST_P(Kernels, SumsToFloats) {
  Rng rng = rng_of("sums");
  for (const std::uint32_t n : kLengths) {
    std::vector<std::int64_t> fast(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      fast[i] = static_cast<std::int64_t>(rng.next()) >> (rng.next() % 64);
      if (i % 7 == 0) fast[i] = 0;
      if (i % 7 == 1) fast[i] = (std::int64_t{1} << 53) + static_cast<std::int64_t>(i);
      if (i % 7 == 2) fast[i] = std::numeric_limits<std::int64_t>::min() + i;
    }
    for (const double scale : {0x1p-60, 0x1p-170, 0x1p3, 0x1p-40 / 3, 0x1p-30 / 7}) {
      std::vector<std::int64_t> a = fast, b = fast;
      std::vector<float> u(n), v(n);
      kernels::sums_to_floats(a.data(), scale, u.data(), n);
      kernels::reference::sums_to_floats(b.data(), scale, v.data(), n);
      expect_same_bits(u, v);
      EXPECT_EQ(a, std::vector<std::int64_t>(n));
      EXPECT_EQ(b, a);
      a = b = fast;
      u = v = varied("onto", n);
      kernels::add_sums(a.data(), scale, u.data(), 0.95F, n);
      kernels::reference::add_sums(b.data(), scale, v.data(), 0.95F, n);
      expect_same_bits(u, v);
      EXPECT_EQ(a, std::vector<std::int64_t>(n));
      EXPECT_EQ(b, a);
    }
  }
}

TEST_P(Kernels, Quantise) {
  for (const std::uint32_t n : kLengths) {
    std::vector<float> x = varied("q", n);
    for (std::uint32_t i = 0; i < n; i += 3) x[i] = static_cast<float>(i % 17) * 0.5F - 4.0F;
    for (const float scale : {1.0F, 0.3F, 65'535 * 0x1p-126F}) {
      for (const float limit : {7.0F, 127.0F}) {
        std::vector<std::int32_t> fast(n), slow(n);
        kernels::quantise(x.data(), scale, limit, fast.data(), n);
        kernels::reference::quantise(x.data(), scale, limit, slow.data(), n);
        EXPECT_EQ(fast, slow);
      }
    }
  }
}

TEST_P(Kernels, RiceCodes) {
  Rng rng = rng_of("rice");
  for (int trial = 0; trial < 2'000; ++trial) {
    rice::Form form;
    form.parameter = static_cast<unsigned>(rng.below(12));
    form.two_level = rng.below(2) == 1;
    form.length = 4'096;
    form.level[0] = 3;
    form.level[1] = 40'000;
    // Sometimes long runs of ones, sometimes a stream that ends too early.
    Bytes stream(rng.below(600));
    const std::uint64_t density = rng.below(4);
    for (std::uint8_t& byte : stream) {
      byte = static_cast<std::uint8_t>(rng.next());
      for (std::uint64_t i = 0; i < density; ++i) byte |= static_cast<std::uint8_t>(rng.next());
    }
    const auto count = static_cast<std::uint32_t>(rng.below(300));
    const std::uint64_t position = rng.below(20);
    std::vector<std::uint16_t> places(count), slow_places(count);
    std::vector<std::int32_t> values(count), slow_values(count);
    const rice::Read fast =
        rice::read_values(stream, position, form, count, places.data(), values.data());
    const rice::Read slow = rice::reference::read_values(stream, position, form, count,
                                                         slow_places.data(), slow_values.data());
    ASSERT_EQ(fast, slow);
    ASSERT_EQ(places, slow_places);
    ASSERT_EQ(values, slow_values);
  }
}

// Random bits are mostly codes that leave their chunk sooner or later; short streams end before.
TEST_P(Kernels, RiceStreams) {
  Rng rng = rng_of("lanes");
  for (int trial = 0; trial < 400; ++trial) {
    const auto length = static_cast<std::uint32_t>(1 + rng.below(4'096));
    std::vector<Bytes> bytes(rng.below(20));
    std::vector<rice::Stream> streams;
    for (Bytes& stream : bytes) {
      stream.resize(rng.below(trial % 2 == 0 ? 200 : 2'000));
      for (std::uint8_t& byte : stream) {
        byte = static_cast<std::uint8_t>(rng.next() & rng.next());
        if (trial % 2 == 1) byte &= 0x33;  // short gaps, so that much of it is inside
        if (rng.below(50) == 0) byte = 0xFF;
      }
      streams.push_back({.bytes = stream,
                         .position = rng.below(20),
                         .parameter = static_cast<unsigned>(rng.below(12)),
                         .two_level = rng.below(2) == 1,
                         .keep = static_cast<std::uint32_t>(1 + rng.below(300)),
                         .weight = static_cast<std::int64_t>(rng.below(1u << 30))});
    }
    rice::Streams fast(streams);
    std::vector<rice::Eight> slow = fast.eights();
    for (int chunk = 0; chunk < 3 && !fast.outside(); ++chunk) {
      std::vector<std::int64_t> sums(length, 7), slow_sums(length, 7);
      std::vector<std::uint16_t> places(20 * 4'096), slow_places(places);
      places.resize(fast.add_next(length, {sums.data(), places.data()}, {}));
      slow_places.resize(
          rice::reference::add_next(slow, length, {slow_sums.data(), slow_places.data()}));
      for (std::size_t i = 0; i < slow.size(); ++i) {
        for (std::size_t j = 0; j < 8; ++j) {
          ASSERT_EQ(fast.eights()[i].position[j], slow[i].position[j]);
          ASSERT_EQ(fast.eights()[i].outside[j], slow[i].outside[j]);
        }
      }
      std::ranges::sort(places);
      std::ranges::sort(slow_places);
      ASSERT_EQ(places, slow_places);
      ASSERT_EQ(sums, slow_sums);
    }
  }
}

// Four chunks of one stream at four places of it, several times: full ones, and some with few
// values.
TEST_P(Kernels, RiceLanes) {
  Rng rng = rng_of("four");
  std::uint64_t inside = 0;
  for (int trial = 0; trial < 400; ++trial) {
    Bytes stream(8 + rng.below(3'000));
    for (std::uint8_t& byte : stream) {
      byte = static_cast<std::uint8_t>(rng.next() & rng.next());
      if (trial % 2 == 1) byte &= 0x33;  // short gaps, so that much of it is inside
      if (rng.below(200) == 0) byte = 0xFF;
    }
    const rice::Form form{.parameter = static_cast<unsigned>(rng.below(7)),
                          .two_level = rng.below(2) == 1};
    std::vector<float> fast = varied("to", 4 * 3 * kChunk);
    for (std::size_t i = 0; i < fast.size(); i += 5) fast[i] = -0.0F;
    std::vector<float> slow = fast;
    rice::Lanes quick, plain;
    for (std::size_t i = 0; i < quick.size(); ++i) {
      quick[i].to = fast.data() + i * 3 * kChunk;
      for (rice::Lane::Waiting& one : quick[i].waiting) one.to = quick[i].to;
      plain[i].to = slow.data() + i * 3 * kChunk;
      quick[i].position = plain[i].position = rng.below(8 * stream.size());
    }
    bool go_on = true;
    for (int chunk = 0; go_on && chunk < 3; ++chunk) {
      for (std::size_t i = 0; i < quick.size(); ++i) {
        const std::uint64_t left = rng.below(3) == 0 ? rng.below(20) : 40;
        quick[i].left = plain[i].left = left;
        quick[i].next = plain[i].next = 0;
        quick[i].addend = plain[i].addend = {0.5F, -0.5F, 1e9F + static_cast<float>(chunk), -1e9F};
      }
      go_on = rice::add_lanes(stream, form, quick);
      ASSERT_EQ(go_on, rice::reference::add_lanes(stream, form, plain));
      for (std::size_t i = 0; go_on && i < quick.size(); ++i) {
        ASSERT_EQ(quick[i].position, plain[i].position);
        quick[i].to += kChunk;
        plain[i].to += kChunk;
      }
    }
    if (!go_on) continue;
    rice::add_waiting(quick);
    expect_same_bits(fast, slow);
    ++inside;
  }
  EXPECT_GT(inside, 50u);
}

// What is written is what is read, whatever the number of values and the flags.
TEST_P(Kernels, RiceWrite) {
  Rng rng = rng_of("write");
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<std::uint16_t> kept;
    const std::uint64_t sparse = 1 + rng.below(trial % 3 == 0 ? 1'500 : 60);
    for (std::uint64_t place = rng.below(sparse); place < kChunk; place += 1 + rng.below(sparse)) {
      kept.push_back(static_cast<std::uint16_t>(place | (rng.next() & 0xC000)));
    }
    rice::Written form;
    form.parameter = static_cast<unsigned>(rng.below(12));
    form.two_level = rng.below(2) == 1;
    form.one_level = !form.two_level || rng.below(2) == 1;
    Bytes fast, slow;
    container::BitWriter fast_bits(fast), slow_bits(slow);
    rice::write_values(fast_bits, kept, form);
    rice::reference::write_values(slow_bits, kept, form);
    fast_bits.finish();
    slow_bits.finish();
    ASSERT_EQ(fast, slow);
    const rice::Form read{.parameter = form.parameter,
                          .two_level = form.two_level,
                          .length = kChunk,
                          .level = {3, 5}};
    std::vector<std::uint16_t> places(kept.size());
    std::vector<std::int32_t> values(kept.size());
    ASSERT_FALSE(rice::read_values(fast, 0, read, static_cast<std::uint32_t>(kept.size()),
                                   places.data(), values.data())
                     .outside);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      ASSERT_EQ(places[i], kept[i] & rice::kPlaceMask);
      const std::int32_t level = !form.one_level && (kept[i] & rice::kHigh) ? 5 : 3;
      ASSERT_EQ(values[i], kept[i] & rice::kNegative ? -level : level);
    }
  }
}

TEST(KernelsReference, TiesGoToEven) {
  const std::vector<float> x{0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 9.0F};
  std::vector<std::int32_t> code(x.size());
  kernels::reference::quantise(x.data(), 1.0F, 7.0F, code.data(), 6);
  EXPECT_EQ(code, (std::vector<std::int32_t>{0, 2, 2, 0, -2, 7}));
}

TEST(FloatMode, IsExactHere) { EXPECT_TRUE(float_mode_is_exact()); }

INSTANTIATE_TEST_SUITE_P(Targets, Kernels, testing::ValuesIn(kernels::targets()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace harambee::exact

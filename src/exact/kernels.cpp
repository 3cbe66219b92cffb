#include "exact/kernels.h"

#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "exact/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace harambee::exact::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Places are looked for in pieces of this size (a chunk).
constexpr std::uint32_t kMapBits = 4'096;

// Mul and Add stay two roundings: the build forbids contraction (-ffp-contract=off).

void Accumulate(float* e, float beta, const float* base, const float* trained, std::size_t n) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, beta);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto delta = hn::Sub(hn::LoadU(d, base + i), hn::LoadU(d, trained + i));
    hn::StoreU(hn::Add(hn::Mul(factor, hn::LoadU(d, e + i)), delta), d, e + i);
  }
  reference::accumulate(e + i, beta, base + i, trained + i, n - i);
}

std::uint32_t MaxBits(const float* x, std::uint32_t n) {
  const hn::ScalableTag<std::int32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto magnitude = hn::Set(d, static_cast<std::int32_t>(kMagnitudeBits));
  auto most = hn::Zero(d);
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    most = hn::Max(most, hn::And(hn::BitCast(d, hn::LoadU(df, x + i)), magnitude));
  }
  const auto vector = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(d, most)));
  const std::uint32_t rest = reference::max_bits(x + i, n - i);
  return vector > rest ? vector : rest;
}

// Eight comparisons as one byte, for vectors of four lanes or more.
template <class D>
std::size_t StoreComparisons(D d, const float* x, hn::Vec<D> magnitude, hn::Vec<D> below,
                             hn::Vec<D>& most, std::uint8_t* map) {
  const std::size_t lanes = hn::Lanes(d);
  const hn::RebindToFloat<D> df;
  const auto m = hn::And(hn::BitCast(d, hn::LoadU(df, x)), magnitude);
  most = hn::Max(most, m);
  if (lanes >= 8) return hn::StoreMaskBits(d, hn::Gt(m, below), map);
  const auto next = hn::And(hn::BitCast(d, hn::LoadU(df, x + lanes)), magnitude);
  most = hn::Max(most, next);
  std::uint8_t low[8], high[8];  // StoreMaskBits may write 8 bytes
  hn::StoreMaskBits(d, hn::Gt(m, below), low);
  hn::StoreMaskBits(d, hn::Gt(next, below), high);
  map[0] = static_cast<std::uint8_t>((low[0] & 15) | (high[0] << 4));
  return 1;
}

// The places of a bitmap's ones. kUnasked a word are written without asking how many there are: the
// branch would be beyond prediction.
template <int kUnasked>
std::uint32_t Places(const std::uint8_t* map, std::size_t bytes, std::uint32_t base,
                     std::uint32_t* place) {
  static_assert(kUnasked <= static_cast<int>(kPlaceSlack));
  std::uint32_t count = 0;
  for (std::size_t w = 0; w < bytes; w += 8, base += 64) {
    std::uint64_t ones;
    std::memcpy(&ones, map + w, 8);
    std::uint32_t* out = place + count;
    count += static_cast<std::uint32_t>(std::popcount(ones));
#pragma GCC unroll 16
    for (int j = 0; j < kUnasked; ++j, ones &= ones - 1) {
      *out++ = base + static_cast<std::uint32_t>(std::countr_zero(ones));
    }
    for (; ones != 0; ones &= ones - 1) {
      *out++ = base + static_cast<std::uint32_t>(std::countr_zero(ones));
    }
  }
  return count;
}

// First a bitmap, without a branch that depends on the numbers, so that memory is read at its full
// speed; then the places of its ones. Measured twice as fast as compressing vector by vector.
std::uint32_t AtLeast(const float* x, std::uint32_t n, std::uint32_t threshold,
                      std::uint32_t* place, std::uint32_t* largest) {
  const hn::ScalableTag<std::int32_t> d;
  if (hn::Lanes(d) < 4) return reference::at_least(x, n, threshold, place, largest);
  const auto magnitude = hn::Set(d, static_cast<std::int32_t>(kMagnitudeBits));
  const auto below = hn::Set(d, static_cast<std::int32_t>(threshold) - 1);
  auto most = hn::Zero(d);
  std::uint32_t count = 0;
  std::uint32_t i = 0;
  while (i + 64 <= n) {
    std::uint8_t map[kMapBits / 8 + 8];  // and what StoreMaskBits may write beyond
    const std::uint32_t from = i;
    std::size_t bytes = 0;
    for (; i + 64 <= n && i < from + kMapBits; i += 64) {
      for (const std::size_t end = bytes + 8; bytes < end;) {
        const float* at = x + from + 8 * bytes;
        bytes += StoreComparisons(d, at, magnitude, below, most, map + bytes);
      }
    }
    std::size_t found = 0;
    for (std::size_t w = 0; w < bytes; w += 8) {
      std::uint64_t ones;
      std::memcpy(&ones, map + w, 8);
      found += static_cast<std::size_t>(std::popcount(ones));
    }
    // By what a word holds on average: few words hold twice as many, or two where one is usual.
    const std::size_t words = bytes / 8;
    count += found < 2 * words   ? Places<2>(map, bytes, from, place + count)
             : found < 4 * words ? Places<7>(map, bytes, from, place + count)
                                 : Places<12>(map, bytes, from, place + count);
  }
  *largest = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(d, most)));
  for (; i < n; ++i) {
    const std::uint32_t m = std::bit_cast<std::uint32_t>(x[i]) & kMagnitudeBits;
    if (m >= threshold) place[count++] = i;
    if (m > *largest) *largest = m;
  }
  return count;
}

std::uint32_t CountAtLeast(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold) {
  const hn::ScalableTag<std::int32_t> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto below = hn::Set(d, static_cast<std::int32_t>(threshold) - 1);
  std::uint32_t count = 0;
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto x = hn::BitCast(d, hn::LoadU(du, bits + i));
    count += static_cast<std::uint32_t>(hn::CountTrue(d, hn::Gt(x, below)));
  }
  return count + reference::count_at_least(bits + i, n - i, threshold);
}

std::uint32_t ThresholdOf(const std::uint32_t* bits, std::uint32_t n, std::uint32_t keep,
                          std::uint32_t least, std::uint32_t most) {
  while (least < most) {
    const std::uint32_t middle = least + (most - least + 1) / 2;
    const std::uint32_t count = CountAtLeast(bits, n, middle);
    if (count == keep) return middle;
    const bool more = count > keep;  // beyond prediction
    least = more ? middle : least;
    most = more ? most : middle - 1;
  }
  return least;
}

double ExactSumAtLeast(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const hn::RebindToSigned<decltype(df)> di;
  const hn::RebindToUnsigned<decltype(df)> du;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto below = hn::Set(di, static_cast<std::int32_t>(threshold) - 1);
  const auto reached = [&](std::uint32_t i) {
    const auto x = hn::BitCast(di, hn::LoadU(du, bits + i));
    const auto kept = hn::And(x, hn::VecFromMask(di, hn::Gt(x, below)));
    return hn::PromoteTo(d, hn::BitCast(df, kept));
  };
  auto even = hn::Zero(d), odd = hn::Zero(d);
  std::uint32_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    even = hn::Add(even, reached(i));
    odd = hn::Add(odd, reached(i + lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd))) +
         reference::exact_sum_at_least(bits + i, n - i, threshold);
}

float MagnitudeSum(const float* x, std::uint32_t n) {
  const hn::CappedTag<float, 4> d;
  if (hn::Lanes(d) != 4) return reference::magnitude_sum(x, n);
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (std::uint32_t i = 0; i + 16 <= n; i += 16) {
    a = hn::Add(a, hn::Abs(hn::LoadU(d, x + i)));
    b = hn::Add(b, hn::Abs(hn::LoadU(d, x + i + 4)));
    c = hn::Add(c, hn::Abs(hn::LoadU(d, x + i + 8)));
    e = hn::Add(e, hn::Abs(hn::LoadU(d, x + i + 12)));
  }
  alignas(16) float lane[4];
  hn::Store(hn::Add(hn::Add(a, c), hn::Add(b, e)), d, lane);
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

void SumsToFloats(std::int64_t* sum, double scale, float* out, std::uint32_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<std::int64_t, decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  std::uint32_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto low = hn::Mul(hn::ConvertTo(d, hn::LoadU(di, sum + i)), factor);
    const auto high = hn::Mul(hn::ConvertTo(d, hn::LoadU(di, sum + i + lanes)), factor);
    hn::StoreU(hn::Zero(di), di, sum + i);
    hn::StoreU(hn::Zero(di), di, sum + i + lanes);
    hn::StoreU(hn::DemoteTo(df, low), df, out + i);
    hn::StoreU(hn::DemoteTo(df, high), df, out + i + lanes);
  }
  reference::sums_to_floats(sum + i, scale, out + i, n - i);
}

void AddSums(std::int64_t* sum, double scale, float* r, float beta, std::uint32_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<std::int64_t, decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  const auto decay = hn::Set(df, beta);
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto u = hn::DemoteTo(df, hn::Mul(hn::ConvertTo(d, hn::LoadU(di, sum + i)), factor));
    hn::StoreU(hn::Add(hn::Mul(decay, hn::LoadU(df, r + i)), u), df, r + i);
    hn::StoreU(hn::Zero(di), di, sum + i);
  }
  reference::add_sums(sum + i, scale, r + i, beta, n - i);
}

void Quantise(const float* x, float scale, float limit, std::int32_t* code, std::uint32_t n) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto divisor = hn::Set(d, scale);
  const auto most = hn::Set(d, limit);
  const auto least = hn::Set(d, -limit);
  const auto shift = hn::Set(d, 12'582'912.0F);  // 1.5 × 2^23, see the reference
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto q = hn::Min(hn::Max(hn::Div(hn::LoadU(d, x + i), divisor), least), most);
    hn::StoreU(hn::ConvertTo(di, hn::Sub(hn::Add(q, shift), shift)), di, code + i);
  }
  reference::quantise(x + i, scale, limit, code + i, n - i);
}

}  // namespace HWY_NAMESPACE
}  // namespace harambee::exact::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace harambee::exact::kernels {

HWY_EXPORT(Accumulate);
HWY_EXPORT(MaxBits);
HWY_EXPORT(AtLeast);
HWY_EXPORT(CountAtLeast);
HWY_EXPORT(ThresholdOf);
HWY_EXPORT(ExactSumAtLeast);
HWY_EXPORT(MagnitudeSum);
HWY_EXPORT(SumsToFloats);
HWY_EXPORT(AddSums);
HWY_EXPORT(Quantise);

void accumulate(float* e, float beta, const float* base, const float* trained, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(Accumulate)(e, beta, base, trained, n);
}
std::uint32_t max_bits(const float* x, std::uint32_t n) {
  return HWY_DYNAMIC_DISPATCH(MaxBits)(x, n);
}
std::uint32_t at_least(const float* x, std::uint32_t n, std::uint32_t threshold,
                       std::uint32_t* place, std::uint32_t* largest) {
  return HWY_DYNAMIC_DISPATCH(AtLeast)(x, n, threshold, place, largest);
}
std::uint32_t count_at_least(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold) {
  return HWY_DYNAMIC_DISPATCH(CountAtLeast)(bits, n, threshold);
}
std::uint32_t threshold_of(const std::uint32_t* bits, std::uint32_t n, std::uint32_t keep,
                           std::uint32_t least, std::uint32_t most) {
  return HWY_DYNAMIC_DISPATCH(ThresholdOf)(bits, n, keep, least, most);
}
double exact_sum_at_least(const std::uint32_t* bits, std::uint32_t n, std::uint32_t threshold) {
  return HWY_DYNAMIC_DISPATCH(ExactSumAtLeast)(bits, n, threshold);
}
float magnitude_sum(const float* x, std::uint32_t n) {
  return HWY_DYNAMIC_DISPATCH(MagnitudeSum)(x, n);
}
void sums_to_floats(std::int64_t* sum, double scale, float* out, std::uint32_t n) {
  HWY_DYNAMIC_DISPATCH(SumsToFloats)(sum, scale, out, n);
}
void add_sums(std::int64_t* sum, double scale, float* r, float beta, std::uint32_t n) {
  HWY_DYNAMIC_DISPATCH(AddSums)(sum, scale, r, beta, n);
}
void quantise(const float* x, float scale, float limit, std::int32_t* code, std::uint32_t n) {
  HWY_DYNAMIC_DISPATCH(Quantise)(x, scale, limit, code, n);
}

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

void use_target(const std::string& name) {
  hwy::SetSupportedTargetsForTest(0);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) hwy::SetSupportedTargetsForTest(target);
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace harambee::exact::kernels
#endif  // HWY_ONCE

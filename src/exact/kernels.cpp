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

void ScaleAdd(float* r, float beta, const float* u, std::size_t n) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, beta);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto scaled = hn::Mul(factor, hn::LoadU(d, r + i));
    hn::StoreU(hn::Add(scaled, hn::LoadU(d, u + i)), d, r + i);
  }
  reference::scale_add(r + i, beta, u + i, n - i);
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
    for (std::size_t w = 0; w < bytes; w += 8) {
      std::uint64_t ones;
      std::memcpy(&ones, map + w, 8);
      const std::uint32_t base = from + static_cast<std::uint32_t>(8 * w);
      std::uint32_t* out = place + count;
      count += static_cast<std::uint32_t>(std::popcount(ones));
      // Two without asking: words with more are rare.
      for (int j = 0; j < 2; ++j, ones &= ones - 1) {
        *out++ = base + static_cast<std::uint32_t>(std::countr_zero(ones));
      }
      for (; ones != 0; ones &= ones - 1) {
        *out++ = base + static_cast<std::uint32_t>(std::countr_zero(ones));
      }
    }
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

void SumsToFloats(std::int64_t* sum, double scale, float* out, std::uint32_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<std::int64_t, decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto s = hn::LoadU(di, sum + i);
    const auto u = hn::Mul(hn::ConvertTo(d, s), factor);
    hn::StoreU(hn::DemoteTo(df, u), df, out + i);
    hn::StoreU(hn::Zero(di), di, sum + i);
  }
  reference::sums_to_floats(sum + i, scale, out + i, n - i);
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
HWY_EXPORT(ScaleAdd);
HWY_EXPORT(MaxBits);
HWY_EXPORT(AtLeast);
HWY_EXPORT(CountAtLeast);
HWY_EXPORT(SumsToFloats);
HWY_EXPORT(Quantise);

void accumulate(float* e, float beta, const float* base, const float* trained, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(Accumulate)(e, beta, base, trained, n);
}
void scale_add(float* r, float beta, const float* u, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(ScaleAdd)(r, beta, u, n);
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
void sums_to_floats(std::int64_t* sum, double scale, float* out, std::uint32_t n) {
  HWY_DYNAMIC_DISPATCH(SumsToFloats)(sum, scale, out, n);
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

#include "exact/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "exact/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace harambee::exact::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

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
  const auto* bits = reinterpret_cast<const std::int32_t*>(x);
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto magnitude = hn::Set(d, static_cast<std::int32_t>(kMagnitudeBits));
  auto most = hn::Zero(d);
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    most = hn::Max(most, hn::And(hn::LoadU(d, bits + i), magnitude));
  }
  const auto vector = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(d, most)));
  const std::uint32_t rest = reference::max_bits(x + i, n - i);
  return vector > rest ? vector : rest;
}

std::uint32_t AtLeast(const float* x, std::uint32_t n, std::uint32_t threshold,
                      std::uint32_t* place) {
  const hn::ScalableTag<std::int32_t> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const auto* bits = reinterpret_cast<const std::int32_t*>(x);
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto magnitude = hn::Set(d, static_cast<std::int32_t>(kMagnitudeBits));
  const auto below = hn::Set(d, static_cast<std::int32_t>(threshold) - 1);
  std::uint32_t count = 0;
  std::uint32_t i = 0;
  // Four vectors at a time: most hold nothing that is large enough.
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const auto m0 = hn::And(hn::LoadU(d, bits + i), magnitude);
    const auto m1 = hn::And(hn::LoadU(d, bits + i + lanes), magnitude);
    const auto m2 = hn::And(hn::LoadU(d, bits + i + 2 * lanes), magnitude);
    const auto m3 = hn::And(hn::LoadU(d, bits + i + 3 * lanes), magnitude);
    const auto most = hn::Max(hn::Max(m0, m1), hn::Max(m2, m3));
    if (hn::AllFalse(d, hn::Gt(most, below))) continue;
    const auto keep = [&](auto m, std::uint32_t from) HWY_ATTR {
      const auto wanted = hn::RebindMask(du, hn::Gt(m, below));
      count += hn::CompressStore(hn::Iota(du, from), wanted, du, place + count);
    };
    keep(m0, i);
    keep(m1, i + lanes);
    keep(m2, i + 2 * lanes);
    keep(m3, i + 3 * lanes);
  }
  for (; i < n; ++i) {
    if ((static_cast<std::uint32_t>(bits[i]) & kMagnitudeBits) >= threshold) place[count++] = i;
  }
  return count;
}

void SumsToFloats(std::int64_t* sum, double scale, double count, float* out, std::uint32_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<std::int64_t, decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const std::uint32_t lanes = static_cast<std::uint32_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  const auto divisor = hn::Set(d, count);
  std::uint32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto s = hn::LoadU(di, sum + i);
    const auto u = hn::Div(hn::Mul(hn::ConvertTo(d, s), factor), divisor);
    hn::StoreU(hn::DemoteTo(df, u), df, out + i);
    hn::StoreU(hn::Zero(di), di, sum + i);
  }
  reference::sums_to_floats(sum + i, scale, count, out + i, n - i);
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
                       std::uint32_t* place) {
  return HWY_DYNAMIC_DISPATCH(AtLeast)(x, n, threshold, place);
}
void sums_to_floats(std::int64_t* sum, double scale, double count, float* out, std::uint32_t n) {
  HWY_DYNAMIC_DISPATCH(SumsToFloats)(sum, scale, count, out, n);
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

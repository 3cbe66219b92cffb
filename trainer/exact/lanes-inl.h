// Sixteen float lanes, the same operations at every SIMD level: one AVX-512 vector, two AVX2
// vectors, four NEON vectors, or an array with std::fma. Every row operation of the trainer is
// written once, over these lanes, so the order of its additions cannot depend on the machine.
// Included once per level (kernels_simd.cpp, kernels_scalar.cpp); no include guard on purpose.
// Needs: LANES_NAMESPACE, and for the SIMD levels the Highway target that is being compiled.

#if !defined(LANES_SCALAR)
HWY_BEFORE_NAMESPACE();
#endif
namespace harambee::trainer {
namespace LANES_NAMESPACE {

inline constexpr std::size_t kWide = 16;

#if defined(LANES_SCALAR)

#define LANES_INLINE inline
#define LANES_ATTR

struct Lanes {
  float v[kWide];
};
// One hardware vector, the unit of the matrix product: here also sixteen floats.
using Vector = Lanes;
inline constexpr std::size_t kVector = kWide;

LANES_INLINE Lanes fill(float x) {
  Lanes r;
  for (float& e : r.v) e = x;
  return r;
}
LANES_INLINE Lanes load(const float* p) {
  Lanes r;
  for (std::size_t i = 0; i < kWide; ++i) r.v[i] = p[i];
  return r;
}
LANES_INLINE void store(Lanes a, float* p) {
  for (std::size_t i = 0; i < kWide; ++i) p[i] = a.v[i];
}
#define LANES_BINARY(name, expression)        \
  LANES_INLINE Lanes name(Lanes a, Lanes b) { \
    Lanes r;                                  \
    for (std::size_t i = 0; i < kWide; ++i) { \
      const float x = a.v[i], y = b.v[i];     \
      r.v[i] = expression;                    \
    }                                         \
    return r;                                 \
  }
LANES_BINARY(add, x + y)
LANES_BINARY(sub, x - y)
LANES_BINARY(mul, x* y)
LANES_BINARY(div, x / y)
LANES_BINARY(max, x > y ? x : y)
LANES_BINARY(min, x < y ? x : y)
#undef LANES_BINARY
// a * b + c, rounded once.
LANES_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) {
  Lanes r;
  for (std::size_t i = 0; i < kWide; ++i) r.v[i] = std::fma(a.v[i], b.v[i], c.v[i]);
  return r;
}
// c - a * b, rounded once.
LANES_INLINE Lanes fnma(Lanes a, Lanes b, Lanes c) {
  Lanes r;
  for (std::size_t i = 0; i < kWide; ++i) r.v[i] = std::fma(-a.v[i], b.v[i], c.v[i]);
  return r;
}
LANES_INLINE Lanes sqrt(Lanes a) {
  Lanes r;
  for (std::size_t i = 0; i < kWide; ++i) r.v[i] = std::sqrt(a.v[i]);
  return r;
}
// Lane i is kept where i < count, and +0 elsewhere.
LANES_INLINE Lanes keep_first(Lanes a, std::size_t count) {
  for (std::size_t i = count; i < kWide; ++i) a.v[i] = 0.0f;
  return a;
}
// a where a's companion x >= limit, +0 elsewhere.
LANES_INLINE Lanes keep_at_least(Lanes a, Lanes x, float limit) {
  for (std::size_t i = 0; i < kWide; ++i) {
    if (!(x.v[i] >= limit)) a.v[i] = 0.0f;
  }
  return a;
}
// 2^n for lanes that hold integers in [-126, 127].
LANES_INLINE Lanes power_of_two(Lanes n) {
  Lanes r;
  for (std::size_t i = 0; i < kWide; ++i) {
    const auto bits = static_cast<std::uint32_t>(static_cast<std::int32_t>(n.v[i]) + 127) << 23;
    r.v[i] = std::bit_cast<float>(bits);
  }
  return r;
}

#else  // a Highway target

#define LANES_INLINE HWY_INLINE
#define LANES_ATTR HWY_ATTR

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kWide>;
using Vector = hn::Vec<Tag>;
inline constexpr std::size_t kVector = hn::MaxLanes(Tag());
inline constexpr std::size_t kParts = kWide / kVector;

struct Lanes {
  // Written out, because a constructor that GCC writes itself is not compiled for the target.
  LANES_INLINE Lanes() {}
  Vector v[kParts];
};

#define LANES_EACH for (std::size_t i = 0; i < kParts; ++i)
LANES_INLINE Lanes fill(float x) {
  Lanes r;
  LANES_EACH r.v[i] = hn::Set(Tag(), x);
  return r;
}
LANES_INLINE Lanes load(const float* p) {
  Lanes r;
  LANES_EACH r.v[i] = hn::LoadU(Tag(), p + i * kVector);
  return r;
}
LANES_INLINE void store(Lanes a, float* p) {
  LANES_EACH hn::StoreU(a.v[i], Tag(), p + i * kVector);
}
#define LANES_BINARY(name, Operation)                  \
  LANES_INLINE Lanes name(Lanes a, Lanes b) {          \
    Lanes r;                                           \
    LANES_EACH r.v[i] = hn::Operation(a.v[i], b.v[i]); \
    return r;                                          \
  }
LANES_BINARY(add, Add)
LANES_BINARY(sub, Sub)
LANES_BINARY(mul, Mul)
LANES_BINARY(div, Div)
LANES_BINARY(max, Max)
LANES_BINARY(min, Min)
#undef LANES_BINARY
LANES_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) {
  Lanes r;
  LANES_EACH r.v[i] = hn::MulAdd(a.v[i], b.v[i], c.v[i]);
  return r;
}
LANES_INLINE Lanes fnma(Lanes a, Lanes b, Lanes c) {
  Lanes r;
  LANES_EACH r.v[i] = hn::NegMulAdd(a.v[i], b.v[i], c.v[i]);
  return r;
}
LANES_INLINE Lanes sqrt(Lanes a) {
  Lanes r;
  LANES_EACH r.v[i] = hn::Sqrt(a.v[i]);
  return r;
}
LANES_INLINE Lanes keep_first(Lanes a, std::size_t count) {
  Lanes r;
  const Vector limit = hn::Set(Tag(), static_cast<float>(count));
  LANES_EACH {
    const Vector index = hn::Iota(Tag(), static_cast<float>(i * kVector));
    r.v[i] = hn::IfThenElseZero(hn::Lt(index, limit), a.v[i]);
  }
  return r;
}
LANES_INLINE Lanes keep_at_least(Lanes a, Lanes x, float limit) {
  Lanes r;
  LANES_EACH r.v[i] = hn::IfThenElseZero(hn::Ge(x.v[i], hn::Set(Tag(), limit)), a.v[i]);
  return r;
}
LANES_INLINE Lanes power_of_two(Lanes n) {
  const hn::RebindToSigned<Tag> integers;
  Lanes r;
  LANES_EACH {
    const auto biased = hn::Add(hn::ConvertTo(integers, n.v[i]), hn::Set(integers, 127));
    r.v[i] = hn::BitCast(Tag(), hn::ShiftLeft<23>(biased));
  }
  return r;
}
#undef LANES_EACH

#endif

// The first `count` <= 16 floats at p, then zeros; reads no more than `count`.
LANES_INLINE Lanes load_some(const float* p, std::size_t count) {
  if (count == kWide) return load(p);
  float buffer[kWide] = {};
  std::memcpy(buffer, p, count * sizeof(float));
  return load(buffer);
}
LANES_INLINE void store_some(Lanes a, float* p, std::size_t count) {
  if (count == kWide) return store(a, p);
  float buffer[kWide];
  store(a, buffer);
  std::memcpy(p, buffer, count * sizeof(float));
}

// The fixed tree: lane i takes lane i+8, then i+4, i+2, i+1.
#if defined(LANES_SCALAR)
LANES_INLINE float sum(Lanes a) {
  float* const x = a.v;
  for (std::size_t half = kWide / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) x[i] = x[i] + x[i + half];
  }
  return x[0];
}
LANES_INLINE float largest(Lanes a) {
  float* const x = a.v;
  for (std::size_t half = kWide / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  }
  return x[0];
}
#else
// Folds the lanes until four are left: AVX-512 halves its vector twice, AVX2 joins its two and
// halves once, NEON joins its four.
#if HWY_TARGET == HWY_AVX3
#define LANES_FOLD_TO_FOUR(a, Operation, out)                                               \
  const hn::Half<Tag> eight;                                                                \
  const hn::Half<decltype(eight)> four;                                                     \
  const auto h = hn::Operation(hn::LowerHalf(eight, a.v[0]), hn::UpperHalf(eight, a.v[0])); \
  hn::StoreU(hn::Operation(hn::LowerHalf(four, h), hn::UpperHalf(four, h)), four, out)
#elif HWY_TARGET == HWY_AVX2
#define LANES_FOLD_TO_FOUR(a, Operation, out)   \
  const hn::Half<Tag> four;                     \
  const auto h = hn::Operation(a.v[0], a.v[1]); \
  hn::StoreU(hn::Operation(hn::LowerHalf(four, h), hn::UpperHalf(four, h)), four, out)
#else
#define LANES_FOLD_TO_FOUR(a, Operation, out)                                                    \
  hn::StoreU(hn::Operation(hn::Operation(a.v[0], a.v[2]), hn::Operation(a.v[1], a.v[3])), Tag(), \
             out)
#endif
LANES_INLINE float sum(Lanes a) {
  float x[4];
  LANES_FOLD_TO_FOUR(a, Add, x);
  return (x[0] + x[2]) + (x[1] + x[3]);
}
LANES_INLINE float largest(Lanes a) {
  float x[4];
  LANES_FOLD_TO_FOUR(a, Max, x);
  const float even = x[0] > x[2] ? x[0] : x[2], odd = x[1] > x[3] ? x[1] : x[3];
  return even > odd ? even : odd;
}
#undef LANES_FOLD_TO_FOUR
#endif

// e^x for |x| <= 64 (spec/exact-trainer.md, "Elementary functions"): x = n ln 2 + r, the Taylor
// series of e^r to the seventh power in Horner's form, times 2^n. Relative error below 1.2e-7.
LANES_INLINE Lanes exp(Lanes x) {
  const Lanes round = fill(0x1.8p23f);
  const Lanes n = sub(fma(x, fill(0x1.715476p+0f), round), round);
  Lanes r = fnma(n, fill(0x1.62e4p-1f), x);
  r = fnma(n, fill(0x1.7f7d1cp-20f), r);
  Lanes p = fill(1.0f / 5040.0f);
  p = fma(p, r, fill(1.0f / 720.0f));
  p = fma(p, r, fill(1.0f / 120.0f));
  p = fma(p, r, fill(1.0f / 24.0f));
  p = fma(p, r, fill(1.0f / 6.0f));
  p = fma(p, r, fill(0.5f));
  p = fma(p, r, fill(1.0f));
  p = fma(p, r, fill(1.0f));
  return mul(p, power_of_two(n));
}
// e^x for x <= 0, where anything below -64 counts as nothing: exactly +0.
LANES_INLINE Lanes exp_or_zero(Lanes x) {
  return keep_at_least(exp(max(x, fill(-64.0f))), x, -64.0f);
}
// 1 / (1 + e^-x), x clamped to [-64, 64].
LANES_INLINE Lanes sigmoid(Lanes x) {
  const Lanes clamped = max(min(x, fill(64.0f)), fill(-64.0f));
  const Lanes one = fill(1.0f);
  return div(one, add(one, exp(sub(fill(0.0f), clamped))));
}

}  // namespace LANES_NAMESPACE
}  // namespace harambee::trainer
#if !defined(LANES_SCALAR)
HWY_AFTER_NAMESPACE();
#endif

#include "exact/rice.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "exact/rice.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "exact/rice-inl.h"

// No vectors here: the newer instruction sets have the bit instructions that this loop lives on.
HWY_BEFORE_NAMESPACE();
namespace harambee::exact::rice {
namespace HWY_NAMESPACE {

template <bool kTwoLevel>
Read ReadGroups(View stream, std::uint64_t position, const Form& form, const std::uint32_t count,
                std::uint16_t* HWY_RESTRICT place, std::int32_t* HWY_RESTRICT value) {
  constexpr std::uint32_t kGroup = 4;
  const unsigned parameter = form.parameter;
  const unsigned fixed = parameter + (kTwoLevel ? 2 : 1);
  const std::int32_t low = form.level[0];
  const std::int32_t step = form.level[1] - low;
  State state{.bits = container::BitReader(stream, position)};
  std::uint32_t i = 0;
  for (; i + kGroup <= count; i += kGroup) {
    // Four values out of one window of 56 bits.
    std::uint64_t word = state.bits.peek();
    std::uint64_t next = state.next;
    unsigned ones = 0, highs = 0;
#pragma GCC unroll 4
    for (std::uint32_t j = 0; j < kGroup; ++j) {
      const auto quotient = static_cast<unsigned>(std::countr_one(word));
      ones += quotient;
      word = (word >> (quotient & 63)) >> 1;
      const std::uint64_t rest = word & ((std::uint64_t{1} << fixed) - 1);
      word >>= fixed;
      next += std::uint64_t{quotient} << parameter;
      const std::uint64_t at = next + (rest & ((std::uint64_t{1} << parameter) - 1));
      next = at + 1;
      place[i + j] = static_cast<std::uint16_t>(at);
      const auto flags = static_cast<std::int32_t>(rest >> parameter);
      std::int32_t magnitude = low;
      if constexpr (kTwoLevel) {
        magnitude += step & -(flags >> 1);
        highs += static_cast<unsigned>(flags >> 1);
      }
      const std::int32_t negative = -(flags & 1);
      value[i + j] = (magnitude ^ negative) - negative;
    }
    const unsigned used = ones + kGroup * (1 + fixed);
    if (HWY_LIKELY(used <= 56)) {
      state.bits.skip(used);
      state.next = next;
      state.highs += highs;
    } else {
      for (std::uint32_t j = i; j < i + kGroup; ++j) read_one(state, form, place[j], value[j]);
    }
  }
  for (; i < count; ++i) read_one(state, form, place[i], value[i]);
  return finish(state, form);
}

Read ReadValues(View stream, std::uint64_t position, const Form& form, std::uint32_t count,
                std::uint16_t* HWY_RESTRICT place, std::int32_t* HWY_RESTRICT value) {
  return form.two_level ? ReadGroups<true>(stream, position, form, count, place, value)
                        : ReadGroups<false>(stream, position, form, count, place, value);
}

}  // namespace HWY_NAMESPACE
}  // namespace harambee::exact::rice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace harambee::exact::rice {

HWY_EXPORT(ReadValues);

Read read_values(View stream, std::uint64_t position, const Form& form, std::uint32_t count,
                 std::uint16_t* place, std::int32_t* value) {
  return HWY_DYNAMIC_DISPATCH(ReadValues)(stream, position, form, count, place, value);
}

namespace reference {

Read read_values(View stream, std::uint64_t position, const Form& form, std::uint32_t count,
                 std::uint16_t* place, std::int32_t* value) {
  State state{.bits = container::BitReader(stream, position)};
  for (std::uint32_t i = 0; i < count; ++i) read_one(state, form, place[i], value[i]);
  return finish(state, form);
}

}  // namespace reference
}  // namespace harambee::exact::rice
#endif  // HWY_ONCE

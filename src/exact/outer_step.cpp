#include "exact/outer_step.h"

#include <algorithm>

#include "base/mutant.h"
#include "exact/aggregate.h"
#include "exact/encoder.h"
#include "exact/kernels.h"
#include "exact/math.h"

namespace harambee::exact {
namespace {

// θ + (−α)·û and θ − α·û are the same bits: negation is exact.
float step_factor(const Decimal& outer_rate) { return -to_float(outer_rate); }

Result<Bytes> close_with(const Codec& down, const Decimal& outer_rate, const Digest& base,
                         Result<Aggregate> mean, RunNumbers& state) {
  if (Status valid = down.validate(); !valid) return valid.error();
  if (outer_rate.nanos < 0 || outer_rate.nanos > kOuterRateNanosMax) {
    return invalid("outer step: the rate must be 0…1000");
  }
  if (!mean) return mean.error();
  const std::uint64_t parameters = mean->parameters();
  if (state.weights.size() != parameters || state.residual.size() != parameters) {
    return invalid("outer step: weights, residual and contributions differ in length");
  }
  const float beta = HARAMBEE_MUTANT("no-feedback") ? 0.0F : to_float(down.feedback);
  const std::span<float> residual(state.residual);
  Encoder encoder(down, parameters);
  for (std::uint64_t at = 0; !mean->done();) {
    const std::uint32_t length = mean->add_next(residual.subspan(at), beta);
    const std::span<float> chunk = residual.subspan(at, length);
    if (Status added = encoder.add(chunk); !added) return added.error();
    at += length;
  }
  return encoder.finish(base, residual, {step_factor(outer_rate), state.weights});
}

}  // namespace

Result<Bytes> close_round(const Codec& down, const Decimal& outer_rate, const Digest& base,
                          std::span<const Delta> accepted, RunNumbers& state) {
  return close_with(down, outer_rate, base, Aggregate::make(accepted), state);
}

Result<Bytes> close_round(const Codec& down, const Decimal& outer_rate, const Digest& base,
                          std::span<const Delta> accepted, const Weights& weights,
                          const Delta* previous, RunNumbers& state) {
  return close_with(down, outer_rate, base, Aggregate::make(accepted, weights, previous), state);
}

void apply_update(const Delta& update, const Decimal& outer_rate, std::span<float> weights) {
  const float way = HARAMBEE_MUTANT("wrong-way") ? -1.0F : 1.0F;
  add_scaled(update, way * step_factor(outer_rate), weights);
}

Digest floats_digest(std::span<const float> values) {
  return sha256(View(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()));
}

}  // namespace harambee::exact

// The end of a round: accepted contributions into new weights (spec/outer-step.md).
// The coordinator and every auditor close a round from the contributions; everybody else applies
// the update blob, and arrives at the same bits.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/result.h"
#include "exact/aggregate.h"
#include "exact/codec.h"

namespace harambee::exact {

// Media type of the update blob; its bytes are a delta of the way down's codec.
inline constexpr std::string_view kUpdateType = "application/vnd.harambee.update.v1";
inline constexpr std::int64_t kOuterRateNanosMax = 1'000'000'000'000;  // 1000

// The exact state of a run between rounds.
struct RunNumbers {
  std::vector<float> weights;   // θ, flat (format/model.h)
  std::vector<float> residual;  // r, what the way down has not sent yet; all zero at the start
};

// u = aggregate(accepted); r ← β·r + u; update = encode(r), r ← r − û; θ ← θ − α·û.
// `base` names the weights that `state` holds and the deltas start from. Returns the update blob.
// invalid, limit: nothing accepted, different lengths, α out of range (state unchanged), or r grew
// beyond kMagnitudeMax (the residual is spoilt; go back to a checkpoint).
[[nodiscard]] Result<Bytes> close_round(const Codec& down, const Decimal& outer_rate,
                                        const Digest& base, std::span<const Delta> accepted,
                                        RunNumbers& state);

// The same with the weights of another rule (exact/robust.h). `previous`: the update of the round
// before, null if there was none.
[[nodiscard]] Result<Bytes> close_round(const Codec& down, const Decimal& outer_rate,
                                        const Digest& base, std::span<const Delta> accepted,
                                        const Weights& weights, const Delta* previous,
                                        RunNumbers& state);

// θ ← θ − α·û for followers: one product, one difference, each rounded to float, where û is not
// zero. weights.size() must be update.parameters() (a bug otherwise).
void apply_update(const Delta& update, const Decimal& outer_rate, std::span<float> weights);

// SHA-256 of the floats' little-endian bytes: the close record's "residual", and a contribution's
// "ef". Weights have format::weights_digest.
[[nodiscard]] Digest floats_digest(std::span<const float> values);

}  // namespace harambee::exact

// The formulas of a round that volunteers, validators and auditors must share to the bit; the
// arithmetic itself is exact/'s (spec/delta.md, spec/outer-step.md, spec/run.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"
#include "exact/codec.h"
#include "fold/recipe.h"
#include "fold/state.h"

namespace harambee::node {

// A recipe's codec as exact/ knows it. invalid: an unknown name.
[[nodiscard]] Result<exact::Codec> codec_of(const fold::CodecRule& rule);

// More bytes than this cannot be a delta of a model with so many parameters, whatever the codec:
// nobody downloads more.
[[nodiscard]] constexpr std::uint64_t delta_bytes_max(std::uint64_t parameters) {
  return 2 * parameters + 65'536;
}

// Δ = base − trained joins the residual, which is then sent as far as the codec allows:
// e ← β·e + Δ, blob = encode(e), e ← e − Δ̂. An empty residual is all zero. Returns the blob.
[[nodiscard]] Result<Bytes> encode_contribution(const exact::Codec& codec,
                                                const exact::Provenance& provenance,
                                                std::span<const float> base_weights,
                                                std::span<const float> trained,
                                                std::vector<float>& residual);

// The validators' gate tries θ + gate_factor · Δ̂, with gate_factor = −(step · clip) in double,
// rounded to float; `median` is the lower median of all contributions that are well-formed.
[[nodiscard]] float gate_factor(const Decimal& step, const exact::SquaredNorm& norm,
                                const exact::SquaredNorm& median);

// Of row losses in nano-nats: Σ / n, rounded towards zero. Not empty.
[[nodiscard]] std::int64_t mean_nanos(std::span<const std::int64_t> losses);
// (Σ without − Σ with) / n, rounded towards zero, within ±fold::kNanosMax. Same lengths, not empty.
[[nodiscard]] std::int64_t gain_nanos(std::span<const std::int64_t> without,
                                      std::span<const std::int64_t> with);

// The gains of one contribution: on all held-out text, and on each guarded domain.
struct Gains {
  std::int64_t all_nanos = 0;
  std::vector<std::int64_t> domains_nanos;  // within ±fold::kDomainNanosMax
};
// From the losses of fold::score_rows(): `rows` for everything, then `rows` for each domain.
[[nodiscard]] Gains gains_of(std::span<const std::int64_t> without,
                             std::span<const std::int64_t> with, std::size_t rows);
// Of weights that the trainer cannot even evaluate: as bad as it gets.
[[nodiscard]] Gains worst_gains(std::size_t domains);

// The reason in a score entry for a blob that Delta::parse refused: "malformed: " and as much of
// the message as fits, printable ASCII.
[[nodiscard]] std::string malformed_verdict(const std::string& message);

}  // namespace harambee::node

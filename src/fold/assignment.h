// Who trains on which rows, and which rows a contribution is scored on: all of it follows from the
// log, so that nobody chooses. Formulas and vectors: spec/assignment.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/sign.h"
#include "format/data.h"

namespace harambee::fold {

// Refuses data in which a row of context + 1 bytes does not fit: every training shard, the
// concatenated held-out files, if there are any, and those of each domain must be at least that
// long.
[[nodiscard]] Status check_data(const format::DataManifest& data, std::uint64_t context);

// Indices of the training shards of member `ordinal` (join order): {(ordinal·s + t) mod n : t < s},
// in the order of t, each once. shard_count > 0.
[[nodiscard]] std::vector<std::uint64_t> shards_of(std::uint64_t ordinal,
                                                   std::uint64_t shards_per_member,
                                                   std::uint64_t shard_count);

// What a contribution that is trained on these files declares: the domain of most of their bytes
// (of equal ones the first by name), empty if most are nobody's.
[[nodiscard]] std::string domain_of(std::span<const format::Shard> shards);

// The seed of one member's data order in one round.
[[nodiscard]] Digest inner_seed(const Digest& run, std::uint64_t round, const KeyId& author);
// The seed of the rows that a round is scored on, from the tree root at the end of its commit
// phase: nobody knew it when the contributions were committed to.
[[nodiscard]] Digest score_seed(const Digest& log_root);
// The seed of the rows whose loss is reported, the same ones for the whole run.
[[nodiscard]] Digest report_seed(const Digest& run);

enum class Guarded { no, yes };  // whether the run guards its domains

// Where one row starts in the concatenated files. The row is context + 1 bytes long.
// total_bytes > context: the caller has refused smaller data (check_data).
[[nodiscard]] std::uint64_t row_offset(const Digest& seed, std::uint64_t step, std::uint64_t row,
                                       std::uint64_t total_bytes, std::uint64_t context);
// row_offset for row = 0 … rows − 1. Score and report rows use step 0.
[[nodiscard]] std::vector<std::uint64_t> row_offsets(const Digest& seed, std::uint64_t step,
                                                     std::uint64_t rows, std::uint64_t total_bytes,
                                                     std::uint64_t context);
// The rows on which a round is scored: `rows` of all held-out text (step 0), then, if `guarded`,
// `rows` of each domain's (domain k: step k + 1), all as places in the concatenated held-out files.
[[nodiscard]] std::vector<std::uint64_t> score_rows(const Digest& seed, std::uint64_t rows,
                                                    const format::DataManifest& data,
                                                    std::uint64_t context, Guarded guarded);

}  // namespace harambee::fold

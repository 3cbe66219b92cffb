// The small shapes that several views share. Only for hub/view*.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/json.h"
#include "fold/explain.h"
#include "hub/folded.h"

namespace harambee::hub {

[[nodiscard]] Json number_or_null(const std::optional<std::int64_t>& value);
[[nodiscard]] Json place_json(const fold::Place& place);
[[nodiscard]] Json blob_json(const BlobRef& blob);
[[nodiscard]] Json losses_json(const RunNotes& notes);
[[nodiscard]] Json parent_json(const Folded& folded, const std::optional<fold::Parent>& parent);
[[nodiscard]] Json contribution_json(const fold::ClosedContribution& one, std::int64_t round);
[[nodiscard]] Json activity_json(const Folded& folded, const Activity& activity);
[[nodiscard]] Json refusals_json(const fold::RunState& run);  // the newest 20, newest first
// The newest 20 audits, newest first, with what each auditor found, how many there are and were of
// each outcome, and from where an answer is near: of a run, of one author there, of one
// contribution (at most one).
[[nodiscard]] Json audits_json(const fold::RunState& run);
[[nodiscard]] Json audits_of_json(const fold::RunState& run, const KeyId& author);
[[nodiscard]] Json audit_json(const fold::RunState& run, const KeyId& author,
                              const RecordId& contribution);
[[nodiscard]] Json liars_json(const fold::RunState& run);  // officials whose word counts no more
// With at most kReasonsShownMax reasons, the newest, and how many there are.
[[nodiscard]] Json explanation_json(fold::Explanation explanation);
// {"from","rows","total"}
[[nodiscard]] Json page_json(JsonArray rows, std::uint64_t from, std::uint64_t total);
[[nodiscard]] std::int64_t accepted_count(const fold::ClosedRound& round);
// At most `points` positions out of 0 … count − 1, evenly spread, the first and the last among
// them.
[[nodiscard]] std::vector<std::size_t> sampled(std::size_t count, std::size_t points);

}  // namespace harambee::hub

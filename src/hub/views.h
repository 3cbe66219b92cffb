// What the dashboard shows, as JSON: pure functions of the folded log (spec/hub-api.md §5). Every
// view says at which entry it was taken. Lists are cut to a page; whoever wants more asks again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "hub/folded.h"

namespace harambee::hub {

inline constexpr std::uint64_t kViewRowsMax = 200;    // in one page of a list
inline constexpr std::size_t kSeriesPointsMax = 600;  // of one curve
inline constexpr std::size_t kSparkPointsMax = 48;    // of the small curve on the map
inline constexpr std::size_t kReasonsShownMax = 200;  // of an explanation, the newest
inline constexpr std::size_t kSamplesCompared = 3;    // texts of rounds, side by side

struct ViewPage {
  std::uint64_t from = 0;
  std::uint64_t count = 50;  // at most kViewRowsMax
  bool by_credit = false;    // members: most credit first; else in the order of joining
};

[[nodiscard]] Json map_view(const Folded& folded, const ViewPage& page);
// not_found: no run has that name. The same for all that follow.
[[nodiscard]] Result<Json> run_view(const Folded& folded, std::string_view name);
[[nodiscard]] Result<Json> members_view(const Folded& folded, std::string_view name,
                                        const ViewPage& page);
[[nodiscard]] Result<Json> rounds_view(const Folded& folded, std::string_view name,
                                       const ViewPage& page);
[[nodiscard]] Result<Json> round_view(const Folded& folded, std::string_view name,
                                      std::int64_t round);
[[nodiscard]] Result<Json> member_view(const Folded& folded, std::string_view name,
                                       const KeyId& key);
// A key in all runs of the log.
[[nodiscard]] Result<Json> peer_view(const Folded& folded, const KeyId& key);
// `record` is entry `index`, below folded.size().
[[nodiscard]] Json record_view(const Folded& folded, std::uint64_t index, const Unverified& record);

// What the model wrote at past rounds: the folded log knows where, the records say what. First all
// rounds of a run that have a text; of them the first, the newest and one between; then a record
// (invalid if it is none), and the view of some.
[[nodiscard]] Result<std::vector<SampleNote>> samples_of(const Folded& folded,
                                                         std::string_view name);
[[nodiscard]] std::vector<SampleNote> samples_to_compare(const std::vector<SampleNote>& all);
[[nodiscard]] Result<Json> sample_json(const SampleNote& note, const Unverified& record);
[[nodiscard]] Json samples_view(const Folded& folded, std::string_view name,
                                const std::vector<SampleNote>& all, JsonArray rows);

// Parts that other views and pages need.
[[nodiscard]] JsonObject at_view(const Folded& folded);

}  // namespace harambee::hub

// Why a peer, a contribution or a round stands where it stands: the records that led there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "fold/audit_acts.h"
#include "fold/state.h"

namespace harambee::fold {

struct Reason {
  Place place;           // the record that had this effect
  std::string sentence;  // for people
};

struct Explanation {
  std::string subject;          // what was asked about
  std::string verdict;          // its standing now, one sentence
  std::vector<Reason> reasons;  // in log order
};

// Everything that made this key's standing and credit in the run. not_found: it did nothing there.
[[nodiscard]] Result<Explanation> explain_peer(const RunState& run, const KeyId& key);
// A contribution taken or refused, by record id. not_found: no such contribution is remembered.
[[nodiscard]] Result<Explanation> explain_contribution(const RunState& run, const RecordId& id);
// not_found: the round has not opened.
[[nodiscard]] Result<Explanation> explain_round(const RunState& run, std::int64_t round);

[[nodiscard]] Json to_json(const Explanation& explanation);
// "subject: verdict", then "  #<index> <first 12 digits of the record id> <sentence>" lines.
[[nodiscard]] std::string to_text(const Explanation& explanation);

}  // namespace harambee::fold

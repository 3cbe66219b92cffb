// The auditor's mind: which contribution it must train again next (spec/audit.md). Validators are
// the run's auditors.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "fold/state.h"

namespace harambee::role {

struct AuditorFacts {
  std::string numeric_class;    // of our own trainer; empty: not known yet
  std::set<RecordId> given_up;  // contributions that this process cannot or need not train again
  std::set<std::string> inexact = {};  // classes that another trainer of ours can train again
};

namespace auditor {

struct Idle {};
// Train this contribution again and send an audit record.
struct Repeat {
  RecordId contribution;
  std::int64_t round = 0;
  KeyId author;
  std::string numeric_class;
  std::vector<BlobRef> states;          // revealed; empty: from its chain's fresh start
  std::int64_t states_deadline_ms = 0;  // log time, after which missing states are "withheld"
};

using Action = std::variant<Idle, Repeat>;

}  // namespace auditor

[[nodiscard]] auditor::Action decide_auditor(const fold::RunState& run, const KeyId& me,
                                             const AuditorFacts& facts);

}  // namespace harambee::role

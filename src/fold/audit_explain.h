// Audits as reasons (explain.h). Private to the room.
#pragma once

#include "fold/explain.h"

namespace harambee::fold {

// What audits did to this key: as author, as auditor, as disputer.
void explain_audits(const RunState& run, const KeyId& key, std::vector<Reason>& reasons);
// What was found about one contribution.
void explain_audit_of(const RunState& run, const ClosedContribution& one,
                      std::vector<Reason>& reasons);

}  // namespace harambee::fold

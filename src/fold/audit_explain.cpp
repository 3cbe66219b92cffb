#include "fold/audit_explain.h"

#include <utility>

namespace harambee::fold {

namespace {

std::string short_id(const Digest& digest) { return digest.hex().substr(0, 12); }

void add(std::vector<Reason>& reasons, const Place& place, std::string sentence) {
  reasons.push_back({place, std::move(sentence)});
}

std::string contribution_text(const AuditCase& audit) {
  return "contribution " + short_id(audit.contribution.id) + " of round " +
         std::to_string(audit.round);
}

std::string answer_text(const AuditAnswer& answer) {
  std::string text = name(answer.act.result);
  if (answer.act.made && answer.act.made->delta) {
    text += ": training it again makes the delta " + short_id(*answer.act.made->delta);
  }
  if (answer.act.cosine) {
    text += ": cosine " + answer.act.cosine->str() + ", relative distance " +
            answer.act.distance->str();
  }
  const bool accuses =
      answer.act.result == AuditResult::differs || answer.act.result == AuditResult::far;
  return accuses ? text + "; suspended until it is decided" : text;
}

void tell_case(const AuditCase& audit, const std::string& whose, std::vector<Reason>& reasons) {
  std::string opened = audit.everybody ? "all auditors were called to train " + whose
                                       : std::to_string(audit.auditors.size()) +
                                             " auditors were drawn to train " + whose;
  opened += " again";
  if (audit.disputed_by) opened += "; " + short_id(*audit.disputed_by) + " disputed it";
  add(reasons, audit.opened, std::move(opened));
  if (audit.revealed) add(reasons, *audit.revealed, "revealed the states before " + whose);
  for (const AuditAnswer& answer : audit.answers) {
    add(reasons, answer.place,
        "auditor " + short_id(answer.auditor) + " on " + whose + ": " + answer_text(answer));
  }
  if (audit.end == AuditEnd::none) return;
  add(reasons, audit.ended,
      "the audit of " + whose + " ended: " + name(audit.end) + " (" + audit.reason + ")");
}

}  // namespace

void explain_audits(const RunState& run, const KeyId& key, std::vector<Reason>& reasons) {
  for (const AuditCase& audit : run.audits) {
    if (audit.author == key) tell_case(audit, "its " + contribution_text(audit), reasons);
    if (const AuditAnswer* answer = audit.answer_of(key)) {
      add(reasons, answer->place,
          "audited " + contribution_text(audit) + " of " + short_id(audit.author) + ": " +
              answer_text(*answer));
    }
    if (audit.disputed_by == key)
      add(reasons, audit.opened, "disputed " + contribution_text(audit));
  }
  if (const auto liar = run.liars.find(key); liar != run.liars.end()) {
    add(reasons, liar->second.by,
        "found to lie, and no auditor, validator or disputer any more: " + liar->second.reason);
  }
  const Member* member = run.member(key);
  if (!member) return;
  if (member->suspended) add(reasons, member->suspended_by, "suspended: " + *member->suspended);
  if (!member->slashed) return;
  MicroCredit forfeited;
  for (const ClosedRound& round : run.history) {
    for (const ClosedContribution& one : round.contributions) {
      if (one.author == key) forfeited += one.forfeited;
    }
  }
  add(reasons, member->excluded_by, "forfeited " + forfeited.str() + " unsettled credits");
}

void explain_audit_of(const RunState& run, const ClosedContribution& one,
                      std::vector<Reason>& reasons) {
  const AuditCase* audit = run.audit_of(one.author, one.place.id);
  if (audit) tell_case(*audit, "it", reasons);
}

}  // namespace harambee::fold

#include "fold/audit.h"

#include <algorithm>

#include "base/check.h"
#include "base/encoding.h"

namespace harambee::fold {

const char* name(AuditPhase phase) {
  switch (phase) {
    case AuditPhase::reveal:
      return "reveal";
    case AuditPhase::audit:
      return "audit";
    case AuditPhase::ended:
      return "ended";
  }
  HARAMBEE_CHECK(false);
  return "";
}

const char* name(AuditEnd end) {
  switch (end) {
    case AuditEnd::none:
      return "none";
    case AuditEnd::passed:
      return "passed";
    case AuditEnd::lapsed:
      return "lapsed";
    case AuditEnd::withheld:
      return "withheld";
    case AuditEnd::accused:
      return "accused";
    case AuditEnd::undecided:
      return "undecided";
    case AuditEnd::cleared:
      return "cleared";
    case AuditEnd::convicted:
      return "convicted";
  }
  HARAMBEE_CHECK(false);
  return "";
}

bool AuditCase::asks(const KeyId& auditor) const {
  return std::ranges::find(auditors, auditor) != auditors.end();
}

const AuditAnswer* AuditCase::answer_of(const KeyId& auditor) const {
  const auto it = std::ranges::find(answers, auditor, &AuditAnswer::auditor);
  return it == answers.end() ? nullptr : &*it;
}

bool AuditCase::suspends() const {
  if (end == AuditEnd::withheld || end == AuditEnd::accused) return true;
  return phase != AuditPhase::ended && std::ranges::any_of(answers, [](const AuditAnswer& answer) {
           return answer.act.result == AuditResult::differs ||
                  answer.act.result == AuditResult::far;
         });
}

std::int64_t audit_patience_ms(const Recipe& recipe) {
  return 4 * (recipe.commit_ms + recipe.reveal_ms + recipe.score_ms);
}

Digest audit_seed(const Digest& log_root) {
  return sha256({view("harambee audit v1\n"), log_root.view()});
}

bool audit_falls_on(const Digest& seed, const RecordId& contribution, const Decimal& rate) {
  constexpr std::uint64_t kScale = 1'000'000'000;
  const Digest drawn = sha256({view("harambee audit coin v1\n"), seed.view(), contribution.view()});
  __extension__ using Wide = unsigned __int128;
  // ⌊draw · 10⁹ / 2⁶⁴⌋ is uniform in 0 … 10⁹ − 1.
  const auto billionth =
      static_cast<std::uint64_t>((Wide{get_u64be(drawn.bytes.data())} * kScale) >> 64);
  return rate.nanos > 0 && billionth < static_cast<std::uint64_t>(rate.nanos);
}

std::vector<KeyId> drawn_auditors(const Digest& seed, const RecordId& contribution,
                                  std::vector<KeyId> candidates, std::size_t count) {
  const auto rank = [&](const KeyId& key) {
    return sha256({view("harambee auditor v1\n"), seed.view(), contribution.view(), key.view()});
  };
  count = std::min(count, candidates.size());
  std::ranges::sort(candidates, {}, rank);
  candidates.resize(count);
  return candidates;
}

}  // namespace harambee::fold

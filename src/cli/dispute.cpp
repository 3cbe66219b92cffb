// dispute: calls all auditors of a run to train a contribution again (spec/audit.md §7).
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/read_run.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "fold/audit.h"
#include "fold/audit_acts.h"
#include "node/publisher.h"

namespace harambee::cli {
namespace {

constexpr std::size_t kDigitsMin = 4;

// The contribution of a closed round whose record id begins with these digits.
Result<fold::Dispute> meant(const fold::RunState& run, const std::string& digits) {
  if (digits.size() < kDigitsMin) {
    return invalid(fmt::format("give at least {} digits of a contribution's id", kDigitsMin));
  }
  std::optional<fold::Dispute> found;
  for (const fold::ClosedRound& round : run.history) {
    for (const fold::ClosedContribution& one : round.contributions) {
      if (!one.place.id.hex().starts_with(digits)) continue;
      if (found)
        return invalid("several contributions begin with " + digits + ": give more digits");
      found = fold::Dispute{run.id, round.number, one.place.id};
    }
  }
  if (!found) {
    return fail(ErrorCode::not_found, "no contribution of a closed round begins with " + digits);
  }
  return *found;
}

// The volunteer's key in this run, unless another is named: a dispute is a member's.
std::filesystem::path key_file(const DisputeOptions& options, const Reading& reading) {
  if (!options.common.key.empty()) return options.common.key;
  return state_dir({}, reading.address, "join") / "key.pem";
}

std::optional<std::string> refusal_of(const fold::RunState& run, const RecordId& id) {
  for (const fold::Refusal& refusal : run.refusals) {
    if (refusal.place.id == id) return refusal.reason;
  }
  return std::nullopt;
}

Exit not_taken(const std::string& reason, Ui& ui) {
  return ui.fail(Error{ErrorCode::refused, reason},
                 {"", "`harambee explain URL RECORD` shows how the contribution stands"});
}

}  // namespace

Exit dispute(const DisputeOptions& options, Ui& ui) {
  catch_stop_signals();
  Result<Reading> reading = read_run(options.url, options.common, ui);
  if (!reading) return reading_failed(reading.error(), ui);
  Result<fold::Dispute> act = meant(*reading->run, options.record);
  if (!act) {
    return ui.fail(act.error(),
                   {"", "`harambee explain URL round N` lists a round's contributions"});
  }
  Result<SecretKey> key = load_key(key_file(options, *reading));
  if (!key) return ui.fail(key.error(), {"", "--key FILE: the key of a member of the run"});
  // Asked before it is said: a dispute that changes nothing would stay on the log for ever.
  if (const auto objection = fold::object_to_dispute(*reading->run, key->id(), *act)) {
    return not_taken(*objection, ui);
  }
  SystemClock clock;
  node::Publisher publisher(*reading->follower, *key, *reading->wire, clock,
                            reading->dir / "dispute",
                            [&ui](const std::string& text) { ui.note(text); });
  Result<node::Posted> posted = publisher.post(fold::write(*act));
  if (!posted) return ui.fail(posted.error());
  const fold::RunState& run = *reading->log().run(act->run);
  if (const auto reason = refusal_of(run, posted->id)) return not_taken(*reason, ui);
  const fold::ClosedContribution* one = run.closed_contribution(act->round, act->contribution);
  const fold::AuditCase* audit = one ? run.audit_of(one->author, one->place.id) : nullptr;
  const std::size_t asked = audit == nullptr ? 0 : audit->auditors.size();
  ui.line(fmt::format("entry {}: {} auditors are asked to train contribution {} of round {} again",
                      posted->index, asked, act->contribution.hex().substr(0, 12), act->round));
  ui.event({{"event", "done"},
            {"id", posted->id.hex()},
            {"index", posted->index},
            {"contribution", act->contribution.hex()},
            {"round", act->round},
            {"auditors", asked}});
  return kOk;
}

}  // namespace harambee::cli

#include "node/auditor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "node/link.h"
#include "node/repeat_near.h"

namespace harambee::node {
namespace {

constexpr int kInexactFailuresMax = 3;  // of one contribution

// Of the trainer, not of this machine.
bool is_trainers_own(ErrorCode code) {
  return code == ErrorCode::unavailable || code == ErrorCode::invalid ||
         code == ErrorCode::refused || code == ErrorCode::corrupt;
}

}  // namespace

Auditor::Auditor(Session& session, TrainerProcess& trainer,
                 const std::vector<AuditTrainer>& inexact)
    : session_(session), trainer_(trainer), inexact_(inexact) {
  for (const AuditTrainer& one : inexact_) facts_.inexact.insert(one.numeric_class);
}

RepeatWorld Auditor::world(TrainerProcess& trainer) {
  const auto fetch = [this](const BlobRef& ref) -> Result<Content> {
    const auto file = session_.blobs().fetch(ref);
    if (!file) return file.error();
    auto mapped = store::MappedFile::open(file->string());
    if (!mapped) return mapped.error();
    return Content(std::move(*mapped));
  };
  const auto weights = [this, fetch](std::int64_t round) -> Result<std::vector<float>> {
    const fold::RunState& run = session_.run();
    const Digest& base = run.history[static_cast<std::size_t>(round)].base;
    if (session_.model().has(base)) return session_.model().load(session_.layout(), base);
    return weights_at(run, round, fetch, {});
  };
  const auto shards = [this](const KeyId& author) -> Result<std::vector<std::filesystem::path>> {
    const auto manifest = session_.manifest();
    if (!manifest) return manifest.error();
    std::vector<format::Shard> theirs;
    for (const std::uint64_t index :
         shards_of_member(session_.run(), author, manifest->train.size())) {
      theirs.push_back(manifest->train[index]);
    }
    return session_.shard_files(theirs);
  };
  return {trainer, session_.layout(), fetch, weights, shards, session_.work(""), [this] {
            return !session_.stopping();
          }};
}

Result<Auditor::Did> Auditor::step() {
  const auto action = role::decide_auditor(session_.run(), session_.me(), facts_);
  const auto* asked = std::get_if<role::auditor::Repeat>(&action);
  if (!asked) return Did::nothing;
  if (asked->numeric_class != fold::kExactClass) return repeat_inexact(*asked);
  if (facts_.numeric_class.empty()) {
    const auto hello = trainer_.hello();
    if (!hello) return hello.error();
    facts_.numeric_class = hello->numeric_class;
    return step();
  }
  return repeat(*asked);
}

Result<Auditor::Did> Auditor::repeat(const role::auditor::Repeat& action) {
  session_.tell_state("training a contribution again");
  const auto found = repeat_contribution(session_.run(), action.round, action.contribution,
                                         action.states, world(trainer_));
  if (found) {
    if (Status said = publish(*found); !said) return said.error();
    return Did::audit;
  }
  if (found.error().code != ErrorCode::not_found) return found.error();
  return withheld(action);
}

// Whether the revealed states can be had now. Other errors than that are for whoever reads them.
bool Auditor::states_are_here(const std::vector<BlobRef>& states) {
  return std::ranges::all_of(states, [this](const BlobRef& state) {
    if (state.size > state_bytes_max(session_.layout().parameters())) return false;
    const auto file = session_.blobs().fetch(state);
    return file || file.error().code != ErrorCode::not_found;
  });
}

Result<Auditor::Did> Auditor::repeat_inexact(const role::auditor::Repeat& action) {
  // Whoever reveals states and uploads none must not have the program started again and again.
  if (!states_are_here(action.states)) return withheld(action);
  session_.tell_state("training a contribution of class " + action.numeric_class + " again");
  const AuditTrainer* which = find_audit_trainer(inexact_, action.numeric_class);
  HARAMBEE_CHECK(which != nullptr);
  // Not kept: it is needed seldom, and may hold much memory.
  const auto trainer =
      start_audit_trainer(*which, session_.trainer_options("audit"), session_.run().recipe.model);
  const auto found = trainer ? repeat_nearly(session_.run(), action.round, action.contribution,
                                             action.states, world(**trainer))
                             : Result<fold::Audit>(trainer.error());
  if (found) {
    if (Status said = publish(*found); !said) return said.error();
    return Did::audit;
  }
  if (found.error().code == ErrorCode::not_found) return withheld(action);
  if (!is_trainers_own(found.error().code)) return found.error();
  const bool last = ++failures_[action.contribution] >= kInexactFailuresMax;
  session_.tell(
      Event::Kind::note,
      fmt::format("round {}: the audit of contribution {} {}: {}", action.round,
                  action.contribution.hex().substr(0, 12),
                  last ? "failed again and is given up" : "failed", found.error().message));
  if (last) {
    facts_.given_up.insert(action.contribution);
    forget_blobs(action.round, action.contribution);
  }
  return Did::later;
}

// Its states cannot be had: that is said when half of the time is up.
Result<Auditor::Did> Auditor::withheld(const role::auditor::Repeat& action) {
  if (session_.state().now_ms() < action.states_deadline_ms) return Did::later;
  fold::Audit act;
  act.run = session_.run().id;
  act.round = action.round;
  act.contribution = action.contribution;
  act.result = fold::AuditResult::withheld;
  if (Status said = publish(act); !said) return said.error();
  return Did::audit;
}

void Auditor::forget_blobs(std::int64_t round, const RecordId& contribution) {
  const fold::RunState& run = session_.run();
  const fold::ClosedContribution* one = run.closed_contribution(round, contribution);
  if (!one) return;
  static_cast<void>(session_.blobs().remove(one->delta.digest));
  const fold::AuditCase* audit = run.audit_of(one->author, contribution);
  if (!audit) return;
  for (const BlobRef& state : audit->states) {
    static_cast<void>(session_.blobs().remove(state.digest));
  }
}

Status Auditor::publish(const fold::Audit& act) {
  const auto posted = session_.publisher().post(fold::write(act));
  if (!posted) return posted.error();
  facts_.given_up.insert(act.contribution);  // said once
  forget_blobs(act.round, act.contribution);
  std::string numbers;
  if (act.cosine) {
    numbers = fmt::format(" (cosine {}, distance {})", act.cosine->str(), act.distance->str());
  }
  session_.tell(Event::Kind::round,
                fmt::format("round {}: audited contribution {}: {}{}", act.round,
                            act.contribution.hex().substr(0, 12), fold::name(act.result), numbers));
  return ok();
}

}  // namespace harambee::node

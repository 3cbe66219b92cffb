#include "node/auditor.h"

#include <fmt/format.h>

#include <utility>

#include "node/link.h"

namespace harambee::node {

RepeatWorld Auditor::world() {
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
  return {trainer_, session_.layout(), fetch, weights, shards, session_.work(""), [this] {
            return !session_.stopping();
          }};
}

Result<Auditor::Did> Auditor::step() {
  const auto action = role::decide_auditor(session_.run(), session_.me(), facts_);
  const auto* asked = std::get_if<role::auditor::Repeat>(&action);
  if (!asked) return Did::nothing;
  if (facts_.numeric_class.empty()) {
    const auto hello = trainer_.hello();
    if (!hello) return hello.error();
    facts_.numeric_class = hello->numeric_class;
    return step();
  }
  return repeat(*asked);
}

Result<Auditor::Did> Auditor::repeat(const role::auditor::Repeat& action) {
  if (facts_.numeric_class != fold::kExactClass) {
    facts_.given_up.insert(action.contribution);
    return Did::nothing;
  }
  session_.tell_state("training a contribution again");
  const auto found = repeat_contribution(session_.run(), action.round, action.contribution,
                                         action.states, world());
  if (found) {
    if (Status said = publish(*found); !said) return said.error();
    return Did::audit;
  }
  if (found.error().code != ErrorCode::not_found) return found.error();
  if (session_.state().now_ms() < action.states_deadline_ms) return Did::later;
  fold::Audit withheld;
  withheld.run = session_.run().id;
  withheld.round = action.round;
  withheld.contribution = action.contribution;
  withheld.result = fold::AuditResult::withheld;
  if (Status said = publish(withheld); !said) return said.error();
  return Did::audit;
}

Status Auditor::publish(const fold::Audit& act) {
  const auto posted = session_.publisher().post(fold::write(act));
  if (!posted) return posted.error();
  facts_.given_up.insert(act.contribution);  // said once
  for (const fold::AuditCase& audit : session_.run().audits) {
    if (audit.contribution.id != act.contribution) continue;
    for (const BlobRef& state : audit.states) {
      static_cast<void>(session_.blobs().remove(state.digest));
    }
  }
  session_.tell(Event::Kind::round,
                fmt::format("round {}: audited contribution {}: {}", act.round,
                            act.contribution.hex().substr(0, 12), fold::name(act.result)));
  return ok();
}

}  // namespace harambee::node

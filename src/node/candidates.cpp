#include "node/candidates.h"

#include <utility>

#include "node/run_manifest.h"

namespace harambee::node {
namespace {

constexpr std::int64_t kRevealPollMs = 200;

// True when there is nothing more to wait for with this candidate.
Result<bool> fetch(Session& session, Candidate& candidate) {
  if (candidate.asked.delta.size > delta_bytes_max(session.layout().parameters())) {
    return true;  // nobody downloads it; examine() says why
  }
  auto blob = session.blobs().fetch_bytes(candidate.asked.delta);
  if (blob) {
    candidate.blob = std::move(*blob);
    return true;
  }
  switch (blob.error().code) {
    case ErrorCode::not_found:
    case ErrorCode::corrupt:      // the hub's copy is spoilt: as good as none
    case ErrorCode::unavailable:  // an outage; log time stands still meanwhile
      return false;
    default:
      return blob.error();
  }
}

}  // namespace

std::vector<Candidate> candidates_of(const role::validator::Score& action) {
  std::vector<Candidate> candidates;
  for (const auto& asked : action.contributions) {
    candidates.emplace_back();
    candidates.back().asked = asked;
  }
  return candidates;
}

bool still_wanted(const Session& session, const role::validator::Score& action) {
  const fold::RunState& run = session.run();
  return run.phase == fold::Phase::score && run.round.number == action.round &&
         !run.score_of(session.me());
}

Result<bool> gather(Session& session, const role::validator::Score& action,
                    std::vector<Candidate>& candidates) {
  std::vector<bool> done(candidates.size(), false);
  for (;;) {
    const bool last_look = session.state().now_ms() >= action.reveal_deadline_ms;
    bool all = true;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (done[i]) continue;
      const auto got = fetch(session, candidates[i]);
      if (!got) return got.error();
      done[i] = *got;
      all = all && *got;
    }
    if (all || last_look) return true;
    session.tell_state("waiting for contributions to be revealed");
    const bool late = session.log_time_ms() >= action.reveal_deadline_ms;
    const auto went_on = late ? session.tick() : session.follow(kRevealPollMs);
    if (!went_on) return went_on.error();
    if (!*went_on || !still_wanted(session, action)) return false;
    // The long poll may have come back at once: breathe before the hub is asked again.
    if (!session.clock().wait_ms(kRevealPollMs / 2)) return false;
  }
}

Status examine(Session& session, const role::validator::Score& action,
               std::vector<Candidate>& candidates) {
  const auto manifest = session.manifest();
  if (!manifest) return manifest.error();
  std::vector<Revealed> revealed;
  for (const Candidate& candidate : candidates) {
    const role::validator::ToScore& asked = candidate.asked;
    revealed.push_back({asked.delta, asked.author, std::nullopt,
                        is_foreign_domain(session.run(), *manifest, asked.author, asked.domain)});
    if (candidate.blob) revealed.back().bytes = View(*candidate.blob);
  }
  const RoundContext context{session.run().recipe, session.layout().parameters(), action.base,
                             action.seed};
  auto findings = examine(context, revealed);
  if (!findings) return findings.error();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].found = std::move((*findings)[i]);
  }
  return ok();
}

fold::Score score_record(const Digest& run, const role::validator::Score& action,
                         const std::vector<Candidate>& candidates,
                         const std::optional<std::int64_t>& loss_nanos) {
  fold::Score act;
  act.run = run;
  act.round = action.round;
  act.base = action.base;
  act.seed = action.seed;
  act.loss_nanos = loss_nanos;
  for (const Candidate& candidate : candidates) {
    fold::ScoreEntry entry;
    entry.gain_nanos = candidate.gains.all_nanos;
    entry.domain_gains = candidate.gains.domains_nanos;
    entry.own_nanos = candidate.own_nanos;
    entry.verdict = candidate.found.verdict;
    entry.group = candidate.found.group;
    if (candidate.found.delta) {
      entry.squared_norm = candidate.found.delta->squared_norm().digits();
      entry.norm_exponent = candidate.found.delta->squared_norm().exponent;
    }
    act.entries.push_back(std::move(entry));
  }
  return act;
}

}  // namespace harambee::node

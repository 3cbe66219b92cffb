// The invariants, checked by code of the simulator's own: sim/ledger.h, sim/recount.h, and an
// independent reader of the log.
#include <algorithm>
#include <set>
#include <utility>

#include "exact/outer_step.h"
#include "fold/votes.h"
#include "sim/world.h"

namespace harambee::sim {
namespace {

constexpr std::uint64_t kLookedAtAgain = 32;
constexpr std::int64_t kReportRows = 256;  // as validators report on, where they do

bool same_phase(fold::Phase one, Ledger::Phase other) {
  return static_cast<int>(one) == static_cast<int>(other);
}

std::vector<std::string> hexes(const std::vector<KeyId>& keys) {
  std::vector<std::string> out;
  for (const KeyId& key : keys) out.push_back(key.hex());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> sorted(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

// Another number when what is compared of a case has changed.
std::uint64_t state_of(const fold::AuditCase& one) {
  return 1 + (one.phase == fold::AuditPhase::reveal ? 2 : 0) + (one.everybody ? 4 : 0) +
         8 * one.answers.size() + (static_cast<std::uint64_t>(one.end) << 32);
}

std::string who_is(const KeyId& key) { return key.hex().substr(0, 8); }

}  // namespace

// Every entry that is published goes through here, after the real fold has taken it.
void World::learn(Hub& hub, View entry, const fold::Outcome& outcome) {
  const fold::RunState* run = run_of(hub);
  if (!run) {
    if (hub.lineage == 0) report_.check(ledger_.feed(entry), "I2", ledger_.fault);
    return;
  }
  if (&hub == hubs_[0].get()) finished_ = run->phase == fold::Phase::finished;
  const std::string reason = outcome.effect == fold::Effect::inert ? outcome.reason : "";
  if (report_.logging()) {
    const auto record = parse_envelope(entry);
    const Payload& payload = record->payload();
    const auto author = peer_of_.find(payload.author);
    const std::string round = payload.round ? " of round " + std::to_string(*payload.round) : "";
    report_.log(author == peer_of_.end() ? "hub" : who(author->second),
                "#" + std::to_string(hub.state.frontier.size() - 1) + " " + payload.kind + round +
                    (reason.empty() ? "" : ": inert: " + reason) +
                    (hub.lineage == 0 ? "" : " (on another log)"));
  }
  if (reason.starts_with("late")) report_.reached(Probe::late);
  if (reason.starts_with("the author was not drawn")) report_.reached(Probe::not_drawn);
  if (reason.starts_with("the round is full")) report_.reached(Probe::round_full);
  if (hub.lineage != 0) {
    ++hub.epoch;
    return;
  }
  const std::size_t closed = ledger_.history.size();
  const Ledger::Phase before = ledger_.phase;
  if (!report_.check(ledger_.feed(entry), "I2", ledger_.fault)) return;
  const bool agree = same_phase(run->phase, ledger_.phase) &&
                     run->weights.hex() == ledger_.weights &&
                     run->history.size() == ledger_.history.size() &&
                     (ledger_.phase == Ledger::Phase::finished ||
                      (run->round.number == ledger_.round &&
                       run->round.contributions.size() == ledger_.works.size() &&
                       run->round.scores.size() == ledger_.scores.size()));
  report_.check(agree, "I4",
                "after entry " + std::to_string(ledger_.size - 1) +
                    " the fold is elsewhere than the rules: phase " + fold::name(run->phase) +
                    ", round " + std::to_string(run->round.number) + ", " +
                    std::to_string(run->round.contributions.size()) + " contributions" +
                    (reason.empty() ? "" : " (" + reason + ")"));
  const bool open = !run->round.cohort.empty() && run->open_to_all(hub.state.now_ms());
  if (open != open_to_all_) ++hub.epoch;  // those whom the draw left out look again
  open_to_all_ = open;
  const std::size_t rounds = ledger_.history.size();
  if (plan_.audits()) check_audits(hub, *run, closed < rounds && rounds % 4 == 1);
  if (before == ledger_.phase && closed == ledger_.history.size()) return;
  ++hub.epoch;
  if (ledger_.phase == Ledger::Phase::score) {
    report_.reached(run->missed.empty() ? Probe::phase_early : Probe::phase_by_deadline);
    for (std::size_t i = 0; i < run->missed.size(); ++i) report_.reached(Probe::missed);
  }
  if (ledger_.phase == Ledger::Phase::closing && ledger_.scores.size() < ledger_.awaited().size()) {
    report_.reached(Probe::silent_validators);
  }
  if (closed < ledger_.history.size()) check_close(hub);
}

void World::check_close(const Hub& hub) {
  const fold::RunState& run = *run_of(hub);
  const fold::ClosedRound& closed = run.history.back();
  const Ledger::Closed& own = ledger_.history.back();
  last_close_ms_ = now_ms_;
  report_.summary.peer_rounds += run.members.size();
  note_works(closed);
  const std::string where = "round " + std::to_string(closed.number) + ": ";
  // I4: what was summed up, and why the rest was not.
  std::vector<std::string> accepted;
  std::set<Digest> deltas;
  for (const fold::ClosedContribution& one : closed.contributions) {
    peers_[peer_of_.at(one.author)].calm = false;
    if (one.accepted) {
      accepted.push_back(one.place.id.hex());
      report_.check(deltas.insert(one.delta.digest).second, "I3", where + "one delta counts twice");
      continue;
    }
    report_.check(!one.reason.empty(), "I4", where + "a rejection without a reason");
    report_.check(one.credit == fold::MicroCredit(), "I3", where + "credit for rejected work");
    if (one.reason.starts_with("withheld")) report_.reached(Probe::withheld);
    if (one.reason.starts_with("malformed")) report_.reached(Probe::malformed);
    if (one.reason.starts_with("gain")) report_.reached(Probe::gain_rejected);
  }
  report_.check(accepted == own.accepted, "I4", where + "not the accepted set of the rules");
  check_verdicts(closed, own);
  check_votes(closed, own);
  report_.check(closed.base.hex() == own.base && closed.weights.hex() == own.weights &&
                    closed.residual.hex() == own.residual,
                "I4", where + "weights that do not follow those before");
  report_.check(closed.score_seed.hex() == own.seed, "I4",
                where + "the score seed is not bound to the log's root");
  std::vector<std::string> missed = own.missed;
  std::sort(missed.begin(), missed.end());
  report_.check(hexes(closed.missed) == missed, "I4",
                where + "others missed it than those who did");
  report_.check(closed.mostly_rejected == own.mostly_rejected, "I4", where + "mostly rejected?");
  report_.check(closed.voided == own.voided && closed.loss_nanos == own.loss, "I4",
                where + "not voided by the rules");
  if (own.voided) {
    report_.reached(Probe::voided);
  } else if (accepted.empty()) {
    report_.reached(Probe::nothing_accepted);
  }
  if (own.mostly_rejected) report_.reached(Probe::mostly_rejected);
  if (report_.logging()) {
    report_.log("round", std::to_string(closed.number) + (own.voided ? " voided: " : " closed: ") +
                             std::to_string(accepted.size()) + " of " +
                             std::to_string(closed.contributions.size()) + " accepted, loss " +
                             std::to_string(closed.loss_nanos.value_or(0) / 1'000'000) +
                             " thousandths");
  }
  check_people(run);
  catch_up();
  check_queues();
  const std::int64_t every = std::max<std::int64_t>(1, plan_.recipe.rounds / 4);
  if (config_.peers <= 256 || closed.number % every == 0) check_folder(false);
}

// I4: what counts of each, beside its own domain and rows.
void World::check_verdicts(const fold::ClosedRound& closed, const Ledger::Closed& own) {
  const std::string where = "round " + std::to_string(closed.number) + ": ";
  if (!report_.check(closed.contributions.size() == own.judged.size(), "I4", where + "whose?")) {
    return;
  }
  for (std::size_t i = 0; i < own.judged.size(); ++i) {
    const fold::ClosedContribution& one = closed.contributions[i];
    const Ledger::Judged& judged = own.judged[i];
    const std::uint32_t author = peer_of_.at(one.author);
    report_.check(one.counted_nanos == judged.counted && one.own_nanos == judged.own &&
                      one.idle == judged.idle,
                  "I4", where + "not the gain that the rules count for " + who(author));
    if (one.reason.starts_with("domain")) report_.reached(Probe::domain_rejected);
    if (one.accepted && one.gain_nanos && *one.gain_nanos <= 0)
      report_.reached(Probe::domain_served);
    if (one.reason.starts_with("malformed: another domain")) {
      report_.reached(Probe::foreign_domain);
    }
    if (!judged.idle) continue;
    report_.reached(Probe::went_idle);
    report_.check(plan_.liars > 0 || peers_[author].conduct != Conduct::honest, "I7",
                  where + "honest " + who(author) + " is called idle");
  }
}

// I4: who shares a vote, and how much each may count.
void World::check_votes(const fold::ClosedRound& closed, const Ledger::Closed& own) {
  const std::string where = "round " + std::to_string(closed.number) + ": ";
  std::vector<std::int64_t> places;  // of the accepted, in the round
  for (std::size_t i = 0; i < closed.contributions.size(); ++i) {
    if (closed.contributions[i].accepted) places.push_back(static_cast<std::int64_t>(i));
  }
  bool same = places.size() == own.group.size() && closed.possible == own.possible;
  for (std::size_t i = 0; same && i < places.size(); ++i) {
    const auto& one = closed.contributions[static_cast<std::size_t>(places[i])];
    same = one.group == places[own.group[i]] && one.standing == own.caps[i];
    if (own.group[i] != i) report_.reached(Probe::grouped);
    if (own.caps[i] < fold::kFullVote) report_.reached(Probe::small_vote);
  }
  report_.check(same, "I4", where + "votes that are not those of the rules");
  if (own.drawn > 0) report_.reached(Probe::cohort_drawn);
  if (own.judges < plan_.validators) report_.reached(Probe::committee_drawn);
}

bool World::same_case(const fold::AuditCase& one, const Ledger::Case& own) const {
  const std::string end = one.end == fold::AuditEnd::none ? "" : fold::name(one.end);
  return one.contribution.id.hex() == own.work && end == own.end &&
         one.answers.size() == own.answers.size() && one.everybody == own.everybody &&
         (one.phase == fold::AuditPhase::reveal) == own.reveal &&
         (one.disputed_by ? one.disputed_by->hex() : "") == own.disputer &&
         (one.phase != fold::AuditPhase::ended) == own.open &&
         hexes(one.auditors) == sorted(own.asked);
}

// I4, I7: audits are where the rules are (those that the entry may have moved, and all of them at
// each fourth close), and no minority of lying auditors convicts anybody honest
// or makes an honest auditor a liar.
void World::check_audits(Hub& hub, const fold::RunState& run, bool all) {
  bool same = run.audits.size() == ledger_.cases.size() && run.liars.size() == ledger_.liars.size();
  std::vector<std::size_t> moved;
  const auto look = [&](std::size_t i) {
    const std::uint64_t before = std::exchange(audits_seen_[i], state_of(run.audits[i]));
    if (audits_seen_[i] != before) moved.push_back(i);
  };
  // What the fold has moved was open before or is now; what the ledger has, it says.
  std::vector<std::size_t> open = run.open_audits;
  for (std::size_t i = audits_seen_.size(); i < run.audits.size(); ++i) open.push_back(i);
  audits_seen_.resize(run.audits.size(), 0);
  for (const std::size_t i : audits_open_) look(i);
  for (const std::size_t i : open) look(i);
  audits_open_ = run.open_audits;
  for (std::size_t i = 0; all && i < run.audits.size(); ++i) {
    look(i);
    ledger_.touched.insert(i);
  }
  ledger_.touched.insert(moved.begin(), moved.end());
  for (const std::size_t i : ledger_.touched) {
    same = same && same_case(run.audits[i], ledger_.cases[i]);
  }
  ledger_.touched.clear();
  report_.check(same, "I4", "the audits are not those of the rules");
  const bool more_liars = run.liars.size() != liars_seen_;
  liars_seen_ = run.liars.size();
  if (moved.empty() && !more_liars) return;
  ++hub.epoch;
  if (more_liars) check_liars(run);
  for (const std::size_t i : moved) check_end_of(run.audits[i]);
}

void World::check_liars(const fold::RunState& run) {
  for (const auto& [key, liar] : run.liars) {
    const std::uint32_t index = peer_of_.at(key);
    report_.check(peers_[index].liar || peers_[index].conduct != Conduct::honest, "I7",
                  "honest " + who(index) + " is called a liar: " + liar.reason);
    report_.reached(Probe::liar_found);
  }
}

void World::check_end_of(const fold::AuditCase& one) {
  const std::uint32_t index = peer_of_.at(one.author);
  Peer& author = peers_[index];
  author.calm = false;
  if (one.end == fold::AuditEnd::passed) report_.reached(Probe::audit_passed);
  if (one.end == fold::AuditEnd::withheld) report_.reached(Probe::audit_withheld);
  if (one.end == fold::AuditEnd::convicted) report_.reached(Probe::convicted);
  if (one.end == fold::AuditEnd::cleared) report_.reached(Probe::cleared);
  if (one.end == fold::AuditEnd::accused) report_.reached(Probe::accused);
  const bool blamed = one.end == fold::AuditEnd::convicted || one.end == fold::AuditEnd::accused;
  report_.check(!blamed || plan_.liars > 0 || author.conduct != Conduct::honest, "I7",
                "honest " + who(index) + " is blamed where nobody lies");
}

// I3, I7: credit and standing, by double entry.
void World::check_people(const fold::RunState& run) {
  std::int64_t sum = 0;
  auto own = ledger_.credits.begin();  // in the order of the keys, as the fold's
  for (const auto& [key, credit] : run.credits) {
    sum += credit.micros();
    const std::string name = key.hex();
    while (own != ledger_.credits.end() && own->first < name) ++own;
    const bool same =
        own != ledger_.credits.end() && own->first == name && own->second == credit.micros();
    report_.check(same, "I3",
                  same ? "" : "the credit of " + who_is(key) + " is not what the rounds gave");
  }
  std::int64_t rounds = 0;
  for (const Ledger::Closed& closed : ledger_.history) rounds += closed.accepted.empty() ? 0 : 1;
  report_.check(sum == run.distributed.micros() && ledger_.forfeited == run.forfeited.micros() &&
                    sum + ledger_.forfeited == rounds * plan_.recipe.credit.round.micros(),
                "I3", "credit was made or lost");
  if (!report_.check(run.members.size() == ledger_.members.size(), "I4",
                     "other members than joined")) {
    return;
  }
  std::uint64_t excluded = 0;
  for (const fold::Member& member : run.members) {
    const KeyId& key = member.key;
    if (!member.excluded && !member.suspended && member.rejected == 0 && member.accepted == 0) {
      continue;
    }
    const auto& [own_key, own] = ledger_.joined(member.ordinal);
    const bool same = own_key == key.hex() && own.excluded == member.excluded.has_value() &&
                      own.suspended == member.suspended.has_value() &&
                      own.slashed == member.slashed && own.idle == member.own.idle &&
                      own.streak == member.rejected_streak && own.accepted == member.accepted &&
                      own.rejected == member.rejected;
    if (!report_.check(same, "I4",
                       same ? "" : "the standing of " + who_is(key) + " is not the rules'")) {
      continue;
    }
    if (!member.excluded) continue;
    ++excluded;
    const std::uint32_t peer = peer_of_.at(key);
    if (peers_[peer].conduct == Conduct::honest && !peers_[peer].mixed) {
      ++report_.summary.honest_excluded;
      report_.violate("I7", "honest " + who(peer) + " is excluded: " + *member.excluded);
    }
  }
  auto& reached = report_.summary.probes[static_cast<std::size_t>(Probe::excluded)];
  reached = std::max(reached, excluded);
}

// I5: what the coordinator closed, counted again from the contributions.
void World::check_numbers(const fold::ClosedRound& closed) {
  const std::string where = "round " + std::to_string(closed.number) + ": ";
  const auto& blobs = hubs_[0]->disk.platters().blobs;
  const Ledger::Closed& own = ledger_.history.at(static_cast<std::size_t>(closed.number));
  if (losses_.size() == static_cast<std::size_t>(closed.number)) check_loss(closed);
  Recount::Round round{plan_.recipe,      up_, down_, closed.base, {}, own.possible,
                       closed.score_seed, {},  {},    {}};
  for (const fold::ClosedContribution& one : closed.contributions) {
    if (!one.accepted) continue;
    const auto blob = blobs.find(one.delta.digest);
    if (!report_.check(blob != blobs.end(), "I5", where + "an accepted blob is not there")) return;
    const std::size_t next = round.accepted.size();
    round.accepted.push_back({*blob->second, one.author, own.caps.at(next), own.group.at(next)});
  }
  report_.check(closed.base == recount_weights_, "I5",
                where + "does not start where the last ended");
  if (own.voided) {
    // Everything is as it was before the round before.
    recount_ = recount_before_;
  } else {
    recount_before_ = recount_;
  }
  if (!round.accepted.empty()) {
    round.update = *blobs.at(closed.update->digest);
    for (std::size_t i = static_cast<std::size_t>(closed.number); i-- > 0 && !round.last_update;) {
      const Ledger::Closed& before = ledger_.history[i];
      if (before.update.empty() || ledger_.history[i + 1].voided) continue;
      round.last_update = *blobs.at(*Digest::from_hex(before.update));
      round.last_base = *Digest::from_hex(before.base);
    }
    const std::string wrong = recount_.round(round);
    report_.check(wrong.empty(), "I5", where + wrong);
    if (recount_.shortened) report_.reached(Probe::short_step);
  }
  const Bytes file = format::weights_file(*layout_, recount_.weights);
  report_.check(sha256(file) == closed.weights, "I5", where + "the weights are not the sum's");
  const View residual(reinterpret_cast<const std::uint8_t*>(recount_.residual.data()),
                      4 * recount_.residual.size());
  report_.check(sha256(residual) == closed.residual, "I5", where + "the residual is not the sum's");
  recount_weights_ = closed.weights;
}

// I10: the loss of a round's base, of weights that were counted again and by no validator's word:
// what honest ones report, and no higher than the best by more than the recipe allows, or a void
// ends the round.
void World::check_loss(const fold::ClosedRound& closed) {
  const Digest seed = sha256({view("harambee report v1\n"), run_id_.view()});
  std::int64_t sum = 0;
  const auto rows = task_->evaluate(recount_.weights, seed, kReportRows);
  for (const std::int64_t row : rows) sum += row;
  const std::int64_t loss = sum / static_cast<std::int64_t>(rows.size());
  losses_.push_back(loss);
  const std::string where = "round " + std::to_string(closed.number) + ": ";
  const auto number = static_cast<std::size_t>(closed.number);
  const std::vector<Ledger::Closed>& rounds = ledger_.history;
  if (!plan_.recipe.reports_loss()) return;
  if (plan_.liars > 0) {
    if (rounds[number].loss != loss) report_.reached(Probe::wrong_loss);
    return;
  }
  report_.check(rounds[number].loss == loss, "I10", where + "not the loss that its weights have");
  const std::int64_t rise = plan_.recipe.judge.void_rise.nanos;
  if (rise == 0 || number == 0) return;
  std::int64_t best = fold::kNanosMax;
  for (std::size_t i = 0; i < number; ++i) {
    const bool undone = i + 1 < number && rounds[i + 1].voided;
    if (!rounds[i].update.empty() && !undone) best = std::min(best, losses_[i]);
  }
  const bool moved = !rounds[number - 1].voided && !rounds[number - 1].update.empty();
  report_.check((moved && loss > best + rise) == rounds[number].voided, "I10",
                where + "the loss rose, and the weights did not go back (or had no reason to)");
}

Result<fold::Outcome> World::fold_verified(fold::LogState& state, View entry) {
  auto record = parse_envelope(entry);
  if (!record) return record.error();
  const fold::Author* author = state.author(record->payload().author);
  if (!author && !record->own_key()) return invalid("an author without an identity");
  const PublicKey key = author ? author->key : *record->own_key();
  return fold::apply(state, state.frontier.size(), std::move(*record).verified_before(key));
}

// The signature of the very bytes that were verified before needs no second look, but for one in
// kLookedAtAgain.
Result<fold::Outcome> World::fold_again(View entry) {
  const std::uint64_t index = folder_.frontier.size();
  const bool known = index < verified_.size() && sha256(entry) == verified_[index];
  return known && index % kLookedAtAgain != 0 ? fold_verified(folder_, entry)
                                              : fold::apply_entry(folder_, entry);
}

// I1: somebody who reads the whole log from the hub is in the same state.
void World::check_folder(bool last) {
  Hub& hub = *hubs_[0];
  if (!hub.up || hub.lineage != 0) return;
  const std::uint64_t end = hub.sequencer->head()->size;
  while (folder_.frontier.size() < end) {
    const auto entries = hub.sequencer->entries(folder_.frontier.size(), 1u << 20);
    if (!report_.check(entries.ok(), "I2", "published entries cannot be read again")) return;
    for (const Bytes& entry : *entries) {
      if (folder_.frontier.size() >= hub.state.frontier.size()) break;
      const auto outcome = fold_again(entry);
      if (!report_.check(outcome.ok() && outcome->effect != fold::Effect::corrupt, "I1",
                         "another reader cannot fold the log")) {
        return;
      }
    }
    if (folder_.frontier.size() >= hub.state.frontier.size()) break;
  }
  if (folder_.frontier.size() != hub.state.frontier.size()) return;
  if (!last && ledger_.history.size() % 4 != 1) return;  // it is slow
  report_.check(fold::state_hash(folder_) == fold::state_hash(hub.state), "I1",
                "two readers of the same log are in different states");
  while (recounted_ < caught_up_) check_numbers(run_of(hub)->history[recounted_++]);
}

// I9
void World::check_queues() {
  const std::size_t people = peers_.size();
  report_.check(queue_.most() <= 40 * people + 4096, "I9",
                "the event queue has grown to " + std::to_string(queue_.most()));
  report_.check(mail_.most() <= 40 * people + 4096, "I9",
                "messages under way have grown to " + std::to_string(mail_.most()));
  const fold::RunState& run = *run_of(*hubs_[0]);
  report_.check(run.refusals.size() <= fold::kRefusalsKept, "I9", "refusals are kept for ever");
  report_.check(run.round.contributions.size() <= fold::kContributionsPerRoundMax, "I9",
                "a round takes more than its limit");
}

void World::check_end() {
  const fold::RunState& run = *run_of(*hubs_[0]);
  report_.check(
      run.phase == fold::Phase::finished, "I6",
      "the simulation ended before the run did, in round " + std::to_string(run.round.number));
  if (report_.failed()) return;
  catch_up();
  check_folder(true);
  for (const auto& [id, index] : promised_) {
    const auto found = ledger_.ids.find(id.hex());
    report_.check(
        found != ledger_.ids.end() && found->second == index, "I2",
        "a record that was answered with place " + std::to_string(index) + " is not there");
  }
  check_learning(run);
}

// I10: rounds with the work of a third of the members bring the loss down, whoever attacks: six in
// a row do, and three do not bring it up by more than a fiftieth. Steps that are far too large do
// not.
void World::check_learning(const fold::RunState& run) {
  constexpr std::int64_t kLearnedNanos = 200'000'000;  // below, there is little left to learn
  if (plan_.faults.has(Fault::overstep)) return;
  std::size_t in_a_row = 0;
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    const fold::ClosedRound& closed = run.history[i];
    for (const std::size_t rounds : {std::size_t{3}, std::size_t{6}}) {
      if (in_a_row < rounds) continue;
      const std::int64_t before = losses_[i - rounds];
      const std::int64_t most = rounds == 3 ? before + before / 50 : before;
      report_.check(before < kLearnedNanos || losses_[i] < most, "I10",
                    "rounds " + std::to_string(i - rounds) + " to " + std::to_string(i) +
                        " made the loss worse");
    }
    std::size_t accepted = 0;
    for (const fold::ClosedContribution& one : closed.contributions) accepted += one.accepted;
    const bool many = 3 * accepted >= std::min<std::size_t>(run.members.size(), 128);
    in_a_row = many ? in_a_row + 1 : 0;
  }
}

}  // namespace harambee::sim

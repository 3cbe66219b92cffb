#include "fold/explain.h"

#include <algorithm>

#include "base/decimal.h"
#include "fold/audit_explain.h"
#include "fold/judge.h"
#include "fold/votes.h"

namespace harambee::fold {

namespace {

std::string short_id(const Digest& digest) { return digest.hex().substr(0, 12); }
std::string nats(std::int64_t nanos) { return Decimal{nanos}.str(); }
std::string round_text(std::int64_t round) { return "round " + std::to_string(round); }

std::string gain_text(const RunState& run, const ClosedContribution& one) {
  if (!one.gain_nanos) return "";
  std::string text = " with a median gain of " + nats(*one.gain_nanos) + " nats";
  const auto own = std::ranges::find(run.guarded(), one.domain);
  if (own == run.guarded().end()) return text;
  const auto position = static_cast<std::size_t>(own - run.guarded().begin());
  return text + " (" + nats(one.domain_gains[position]) + " on its domain, " + one.domain + ")";
}

// A cap of a vote to three places, rounded down: "0.333".
std::string fraction(std::uint32_t vote) {
  const std::int64_t thousandths = std::int64_t{vote} * 1000 / kFullVote;
  return Decimal{thousandths * 1'000'000}.str();
}

std::string earned(MicroCredit credit) { return "; earned " + credit.str() + " credits"; }

void add(Explanation& explanation, const Place& place, std::string sentence) {
  explanation.reasons.push_back({place, std::move(sentence)});
}

void sort_reasons(Explanation& explanation) {
  std::stable_sort(explanation.reasons.begin(), explanation.reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.place.index < b.place.index; });
}

void add_refusals(const RunState& run, const KeyId& author, Explanation& explanation) {
  for (const Refusal& refusal : run.refusals) {
    if (refusal.author != author) continue;
    add(explanation, refusal.place,
        "its " + refusal.kind + " record changed nothing: " + refusal.reason);
  }
}

// What an accepted contribution's vote was, if it was not simply one.
std::string vote_text(const ClosedRound& round, const ClosedContribution& one) {
  std::string text;
  if (one.standing < kFullVote) {
    text += "; as a newcomer's it counted at most " + fraction(one.standing) + " of a vote";
  }
  std::vector<std::string> others;
  for (const ClosedContribution& other : round.contributions) {
    if (&other == &one || !other.accepted || other.group != one.group) continue;
    others.push_back("#" + std::to_string(other.place.index));
  }
  if (others.empty()) return text;
  constexpr std::size_t kNamedMax = 4;
  text += "; it is like";
  for (std::size_t i = 0; i < std::min(others.size(), kNamedMax); ++i) text += " " + others[i];
  if (others.size() > kNamedMax) {
    text += " and " + std::to_string(others.size() - kNamedMax) + " more";
  }
  return text + ", with which it shared one vote and one share of the credit";
}

// What became of a round's update later.
std::string taken_back(const RunState& run, const ClosedRound& round) {
  const auto number = static_cast<std::size_t>(round.number);
  if (!run.undone(number)) return "";
  return "; the void of " + round_text(round.number + 1) + " took the step back";
}

// How one contribution of a closed round ended, told at the close record.
std::string fate(const RunState& run, const ClosedRound& round, const ClosedContribution& one) {
  const std::string where = round_text(round.number);
  if (round.voided) {
    return "the void of " + where + " took it for nothing (" + one.reason +
           "), and changes nobody's standing";
  }
  if (one.accepted) {
    return "the close of " + where + " accepted its contribution" + gain_text(run, one) +
           vote_text(round, one) + earned(one.credit + one.forfeited) +
           (one.forfeited == MicroCredit() ? "" : ", which are forfeited since") +
           taken_back(run, round);
  }
  std::string text = "the close of " + where + " rejected its contribution: " + one.reason;
  if (one.idle) {
    text += " (the held-out text is for it; this does not count towards exclusion)";
  } else if (round.mostly_rejected) {
    text += " (most of the round was rejected, so this does not count towards exclusion)";
  }
  return text;
}

void explain_closed(const RunState& run, const KeyId& key, Explanation& explanation) {
  for (const ClosedRound& round : run.history) {
    const std::string where = round_text(round.number);
    for (const ClosedContribution& one : round.contributions) {
      if (one.author != key) continue;
      add(explanation, one.place, "contributed to " + where);
      add(explanation, round.close, fate(run, round, one));
    }
    for (const ClosedScore& one : round.scores) {
      if (one.validator != key) continue;
      add(explanation, one.place, "scored " + where + earned(one.credit));
    }
    if (std::count(round.missed.begin(), round.missed.end(), key) > 0) {
      add(explanation, round.close,
          "missed " + where + ": was expected and did not commit in time");
    }
    if (run.coordinator == key) {
      add(explanation, round.close,
          (round.voided ? "voided " : "closed ") + where + earned(round.coordinator_credit));
    }
  }
}

void explain_open(const RunState& run, const KeyId& key, Explanation& explanation) {
  const std::string where = round_text(run.round.number);
  if (const Committed* committed = run.contribution_of(key)) {
    add(explanation, committed->place, "contributed to " + where + ", which is open");
  }
  if (const Scored* scored = run.score_of(key)) {
    add(explanation, scored->place, "scored " + where + ", which is open");
  }
}

void explain_member(const Member& member, Explanation& explanation) {
  add(explanation, member.joined,
      "joined as member " + std::to_string(member.ordinal) + " with trainer " + member.trainer +
          " of class " + member.numeric_class);
  if (member.left) add(explanation, *member.left, "left the run");
  if (member.own.known > 0 && member.last_contribution) {
    add(explanation, *member.last_contribution,
        own_reason(member.own) + (member.own.idle ? "; its work counts nothing until it is better "
                                                    "on them again"
                                                  : ""));
  }
  if (member.excluded) add(explanation, member.excluded_by, "excluded: " + *member.excluded);
}

std::string peer_verdict(const RunState& run, const KeyId& key) {
  std::string roles;
  const auto say = [&roles](const std::string& role) {
    roles += (roles.empty() ? "" : ", ") + role;
  };
  if (key == run.maintainer) say("maintainer");
  if (key == run.coordinator) say("coordinator");
  if (run.is_validator(key)) say("validator");
  if (const Member* member = run.member(key)) {
    const char* standing = member->slashed     ? "trainer convicted of forgery"
                           : member->excluded  ? "excluded trainer"
                           : member->left      ? "trainer who left"
                           : member->suspended ? "suspended trainer"
                                               : "trainer";
    say(std::string(standing) + " (" + std::to_string(member->accepted) + " accepted, " +
        std::to_string(member->rejected) + " rejected, " + std::to_string(member->missed_rounds) +
        " missed)");
  }
  if (roles.empty()) say("stranger to this run");
  const auto it = run.credits.find(key);
  const MicroCredit credit = it == run.credits.end() ? MicroCredit() : it->second;
  return roles + "; " + credit.str() + " credits";
}

// What the validators of the open round say, while it is not closed.
std::string open_verdict(const RunState& run, const RecordId& id) {
  if (run.round.scores.empty()) return "taken; not scored yet";
  for (const Verdict& verdict : derive(run).verdicts) {
    if (verdict.contribution != id) continue;
    return verdict.accepted ? "taken; would be accepted by the scores so far"
                            : "taken; would be rejected by the scores so far: " + verdict.reason;
  }
  return "taken";
}

Explanation explain_closed_one(const RunState& run, const ClosedRound& round,
                               const ClosedContribution& one) {
  Explanation explanation;
  explanation.subject = "contribution " + one.place.id.hex();
  explanation.verdict = one.accepted
                            ? "accepted in " + round_text(round.number)
                            : "rejected in " + round_text(round.number) + ": " + one.reason;
  add(explanation, one.place,
      "committed by " + one.author.hex() + " to blob " + one.delta.digest.hex());
  for (const ClosedScore& scored : round.scores) {
    add(explanation, scored.place, "scored by validator " + short_id(scored.validator));
  }
  add(explanation, round.close,
      fate(run, round, one) + "; said by coordinator " + short_id(run.coordinator));
  explain_audit_of(run, one, explanation.reasons);
  sort_reasons(explanation);
  return explanation;
}

Explanation explain_open_round(const RunState& run) {
  const RoundState& round = run.round;
  Explanation explanation;
  explanation.subject = round_text(round.number);
  explanation.verdict = std::string("open, in phase ") + name(run.phase);
  for (const Committed& committed : round.contributions) {
    add(explanation, committed.place,
        "contribution of " + short_id(committed.author) + ": " +
            open_verdict(run, committed.place.id));
  }
  for (const Scored& scored : round.scores) {
    add(explanation, scored.place, "score of " + short_id(scored.validator));
  }
  return explanation;
}

Explanation explain_closed_round(const RunState& run, const ClosedRound& round) {
  Explanation explanation;
  explanation.subject = round_text(round.number);
  std::size_t accepted = 0;
  for (const ClosedContribution& one : round.contributions) {
    accepted += one.accepted ? 1 : 0;
    std::string text = "contribution of " + short_id(one.author) + ": ";
    text += one.accepted ? "accepted" + gain_text(run, one) + earned(one.credit)
                         : "rejected: " + one.reason;
    add(explanation, one.place, std::move(text));
  }
  for (const ClosedScore& scored : round.scores) {
    add(explanation, scored.place,
        "score of " + short_id(scored.validator) +
            (scored.loss_nanos ? ": report loss " + nats(*scored.loss_nanos) : "") +
            earned(scored.credit));
  }
  for (const KeyId& key : round.missed) {
    add(explanation, round.close, short_id(key) + " was expected and did not commit in time");
  }
  if (round.voided) {
    const std::string before = round_text(round.number - 1);
    add(explanation, round.close,
        "the step of " + before + " is taken back: the weights are again those before it, " +
            round.weights.hex());
    explanation.verdict = "void: the loss of its base, " + nats(*round.loss_nanos) +
                          ", was too far above the best; nothing is accepted";
    return explanation;
  }
  add(explanation, round.close, "closed with weights " + round.weights.hex());
  if (run.undone(static_cast<std::size_t>(round.number))) {
    const ClosedRound& next = run.history[static_cast<std::size_t>(round.number) + 1];
    add(explanation, next.close,
        "the void of " + round_text(next.number) + " took this step back: the loss had risen to " +
            nats(*next.loss_nanos));
  }
  explanation.verdict = "closed: " + std::to_string(accepted) + " of " +
                        std::to_string(round.contributions.size()) + " contributions accepted" +
                        taken_back(run, round);
  return explanation;
}

}  // namespace

Result<Explanation> explain_peer(const RunState& run, const KeyId& key) {
  Explanation explanation;
  explanation.subject = "peer " + key.hex();
  if (key == run.maintainer) {
    add(explanation, run.opened, "opened the run");
    if (run.start)
      add(explanation, run.start_place,
          "started it with weights " + run.start->checkpoint.digest.hex());
    for (const LoggedBaseline& one : run.baselines) {
      add(explanation, one.place, "put the baseline " + one.act.label + " beside it");
    }
  } else if (key == run.coordinator || run.is_validator(key)) {
    add(explanation, run.opened, "named by the run record");
  }
  explain_closed(run, key, explanation);
  explain_open(run, key, explanation);
  if (const Member* member = run.member(key)) explain_member(*member, explanation);
  explain_audits(run, key, explanation.reasons);
  add_refusals(run, key, explanation);
  if (explanation.reasons.empty()) {
    return fail(ErrorCode::not_found, "no record of " + key.hex() + " concerns this run");
  }
  explanation.verdict = peer_verdict(run, key);
  sort_reasons(explanation);
  return explanation;
}

Result<Explanation> explain_contribution(const RunState& run, const RecordId& id) {
  for (const ClosedRound& round : run.history) {
    for (const ClosedContribution& one : round.contributions) {
      if (one.place.id == id) return explain_closed_one(run, round, one);
    }
  }
  Explanation explanation;
  explanation.subject = "contribution " + id.hex();
  for (const Committed& committed : run.round.contributions) {
    if (committed.place.id != id) continue;
    explanation.verdict = open_verdict(run, id);
    add(explanation, committed.place,
        "committed by " + committed.author.hex() + " to blob " + committed.act.delta.digest.hex());
    for (const Scored& scored : run.round.scores) {
      add(explanation, scored.place, "scored by validator " + short_id(scored.validator));
    }
    return explanation;
  }
  for (const Refusal& refusal : run.refusals) {
    if (refusal.place.id != id) continue;
    explanation.subject = refusal.kind + " " + id.hex();
    explanation.verdict = "not taken: " + refusal.reason;
    add(explanation, refusal.place, "by " + refusal.author.hex() + ": " + refusal.reason);
    return explanation;
  }
  return fail(ErrorCode::not_found, "no contribution " + id.hex() + " is remembered in this run");
}

Result<Explanation> explain_round(const RunState& run, std::int64_t round) {
  const auto closed = static_cast<std::int64_t>(run.history.size());
  if (round < 0 || round > closed ||
      (round == closed && (run.phase == Phase::waiting_start || run.phase == Phase::finished))) {
    return fail(ErrorCode::not_found, round_text(round) + " has not opened");
  }
  Explanation explanation =
      round == closed ? explain_open_round(run)
                      : explain_closed_round(run, run.history[static_cast<std::size_t>(round)]);
  sort_reasons(explanation);
  return explanation;
}

Json to_json(const Explanation& explanation) {
  JsonArray reasons;
  for (const Reason& reason : explanation.reasons) {
    reasons.push_back(JsonObject{{"id", reason.place.id.hex()},
                                 {"index", reason.place.index},
                                 {"sentence", reason.sentence}});
  }
  return JsonObject{{"reasons", std::move(reasons)},
                    {"subject", explanation.subject},
                    {"verdict", explanation.verdict}};
}

std::string to_text(const Explanation& explanation) {
  std::string text = explanation.subject + ": " + explanation.verdict + "\n";
  for (const Reason& reason : explanation.reasons) {
    text += "  #" + std::to_string(reason.place.index) + " " + short_id(reason.place.id) + " " +
            reason.sentence + "\n";
  }
  return text;
}

}  // namespace harambee::fold

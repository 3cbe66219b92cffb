// spec/audit.md once more: what is drawn, who is asked, what their answers come to.
#include <algorithm>

#include "base/encoding.h"
#include "base/hash.h"
#include "sim/ledger.h"

namespace harambee::sim {
namespace {

constexpr std::size_t kWholeChain = 4;
constexpr std::size_t kUnsettled = 16;
constexpr std::int64_t kDisputeRounds = 2;
constexpr std::int64_t kStepsToCompare = 10;

Bytes bytes_of(const std::string& hex) { return *from_hex(hex); }
std::string words(const Json* value) {
  return value && value->string() ? *value->string() : std::string();
}

bool accuses(const Ledger::Answer& answer) {
  return answer.result == "differs" || answer.result == "far";
}

bool has(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

std::vector<std::string> Ledger::acting() const {
  std::vector<std::string> keys;
  for (const std::string& key : validators) {
    if (!liars.contains(key)) keys.push_back(key);
  }
  return keys;
}

std::vector<std::string> Ledger::awaited() const {
  std::vector<std::string> keys;
  for (const std::string& key : committee) {
    if (!liars.contains(key)) keys.push_back(key);
  }
  return keys.empty() ? acting() : keys;
}

void Ledger::end_score_if_complete() {
  if (phase != Phase::score || scores.empty()) return;
  for (const std::string& key : awaited()) {
    const auto by = [&key](const Score& score) { return score.author == key; };
    if (std::none_of(scores.begin(), scores.end(), by)) return;
  }
  phase = Phase::closing;
}

// Of an accepted contribution of a closed round.
const Ledger::Work* Ledger::audited_work(std::int64_t number, const std::string& id) const {
  if (number < 0 || static_cast<std::size_t>(number) >= history.size()) return nullptr;
  const Closed& closed = history[static_cast<std::size_t>(number)];
  if (!has(closed.accepted, id)) return nullptr;
  for (const Work& work : closed.works) {
    if (work.id == id) return &work;
  }
  return nullptr;
}

// Whoever asks may change it.
Ledger::Case* Ledger::case_of(const Work& work) {
  for (const std::size_t position : members.at(work.author).cases) {
    if (cases[position].work != work.id) continue;
    touched.insert(position);
    return &cases[position];
  }
  return nullptr;
}

std::vector<std::string> Ledger::wanted_states(const Work& work) {
  std::vector<std::string> wanted;
  if (work.exact && work.links <= kWholeChain) return wanted;
  if (!work.ef_before.empty()) wanted.push_back(work.ef_before);
  if (!work.opt_before.empty()) wanted.push_back(work.opt_before);
  if (!work.exact) wanted.push_back(work.ef_after);
  return wanted;
}

Ledger::Case& Ledger::open_case(std::int64_t number, const Work& work) {
  Case* one = case_of(work);
  if (!one) {
    touched.insert(cases.size());
    members.at(work.author).cases.push_back(cases.size());
    cases.push_back({});
    one = &cases.back();
    one->work = work.id;
    one->author = work.author;
    one->round = number;
    one->exact = work.exact;
  }
  one->end.clear();
  one->open = true;
  one->reveal = !wanted_states(work).empty() && !one->revealed;
  one->since_ms = now_ms;
  return *one;
}

void Ledger::tick_audits() {
  if (judge("auditors") > 0 && phase != Phase::finished && drawn_rounds_ < history.size()) {
    const Digest seed = sha256({view("harambee audit v1\n"), view(root)});
    for (; drawn_rounds_ < history.size(); ++drawn_rounds_) {
      for (const Work& work : history[drawn_rounds_].works) {
        if (!has(history[drawn_rounds_].accepted, work.id) || case_of(work)) continue;
        if (!work.exact && number_of_steps() < kStepsToCompare) continue;
        const Bytes id = bytes_of(work.id);
        const Digest coin = sha256({view("harambee audit coin v1\n"), seed.view(), id});
        const bool fresh = members[work.author].accepted <= judge("newcomer_rounds");
        const std::int64_t rate = judge_nanos(fresh ? "audit_newcomer" : "audit");
        __extension__ using Wide = unsigned __int128;
        const Wide scaled = static_cast<Wide>(get_u64be(coin.bytes.data())) * 1'000'000'000U;
        if (static_cast<std::int64_t>(scaled >> 64) >= rate) continue;
        std::vector<std::pair<std::string, std::string>> order;
        for (const std::string& key : acting()) {
          if (key == work.author) continue;
          const Bytes name = bytes_of(key);
          order.emplace_back(sha256({view("harambee auditor v1\n"), seed.view(), id, name}).hex(),
                             key);
        }
        if (order.empty()) continue;
        std::sort(order.begin(), order.end());
        Case& one = open_case(static_cast<std::int64_t>(drawn_rounds_), work);
        for (const auto& [place, key] : order) {
          if (static_cast<std::int64_t>(one.asked.size()) < judge("auditors")) {
            one.asked.push_back(key);
          }
        }
      }
    }
  }
  const std::int64_t patience = 4 * (rule("commit_ms") + rule("reveal_ms") + rule("score_ms"));
  for (Case& one : cases) {
    if (!one.open || now_ms < one.since_ms + patience) continue;
    touched.insert(static_cast<std::size_t>(&one - cases.data()));
    if (one.reveal) {
      end_case(one, "withheld");
    } else {
      decide(one, true);
    }
  }
}

void Ledger::call_everybody(Case& one) {
  one.everybody = true;
  one.asked.clear();
  for (const std::string& key : acting()) {
    if (key != one.author) one.asked.push_back(key);
  }
  for (const Answer& answer : one.answers) {
    if (!has(one.asked, answer.auditor)) one.asked.push_back(answer.auditor);
  }
}

void Ledger::audit(const std::string& author, std::int64_t number, const Json& body) {
  const Work* work = audited_work(number, words(body.find("c")));
  if (!has(acting(), author) || !work || work->author == author) return;
  const std::string result = words(body.find("result"));
  std::string made;
  const bool compared = result == "near" || result == "far";
  if (work->exact == compared && result != "withheld") return;
  if (result == "exact" || result == "differs") {
    const Json* bytes = body.find("made");
    made = write(*bytes);
    const bool same = words(bytes->find("delta")) == work->delta &&
                      words(bytes->find("ef")) == work->ef_after &&
                      words(bytes->find("opt")) == work->opt_after;
    if (same != (result == "exact")) return;
  }
  Case* one = case_of(*work);
  const auto mine = [&author](const Answer& answer) { return answer.auditor == author; };
  if (one && std::any_of(one->answers.begin(), one->answers.end(), mine)) return;
  if (one && one->open && has(one->asked, author)) {
    if (one->reveal || (result == "withheld" && !one->revealed)) return;
  } else {
    if (result != "differs") return;
    if (one && !one->open && one->end != "passed" && one->end != "lapsed") return;
    if (!wanted_states(*work).empty() && !(one && one->revealed)) return;
  }
  if (!one || !one->open) one = &open_case(number, *work);
  one->answers.push_back({author, result, made});
  if (accuses(one->answers.back()) && !one->everybody) {
    call_everybody(*one);
    one->reveal = false;
    one->since_ms = now_ms;
  }
  decide(*one, false);
}

void Ledger::reveal(const std::string& author, std::int64_t number, const Json& body,
                    const Json& blobs) {
  const Work* work = audited_work(number, words(body.find("c")));
  Case* one = work ? case_of(*work) : nullptr;
  if (!one || work->author != author) return;
  const bool late = one->end == "withheld";
  if (!(one->open && one->reveal) && !late) return;
  std::vector<std::string> named;
  for (const Json& blob : *blobs.array()) named.push_back(words(blob.find("digest")));
  if (named != wanted_states(*work)) return;
  if (late) one = &open_case(number, *work);
  std::erase_if(one->answers, [](const Answer& answer) { return answer.result == "withheld"; });
  one->revealed = true;
  one->reveal = false;
  one->since_ms = now_ms;
  stand_suspended(author);
}

// Somebody else than the contribution's author.
bool Ledger::may_dispute(const std::string& author, std::int64_t number, const Case* one) const {
  const auto member = members.find(author);
  if (member == members.end() || liars.contains(author)) return false;
  const Member& who = member->second;
  if (who.left || who.excluded || who.suspended) return false;
  if (who.accepted < judge("newcomer_rounds")) return false;
  if (number + kDisputeRounds + 1 < static_cast<std::int64_t>(history.size())) return false;
  if (one && one->everybody) return false;
  return std::none_of(cases.begin(), cases.end(), [&author](const Case& other) {
    return other.open && other.disputer == author;
  });
}

// What the accused did is looked at once more, and by everybody what another points at.
void Ledger::dispute(const std::string& author, std::int64_t number, const Json& body) {
  const Work* work = audited_work(number, words(body.find("c")));
  if (!work) return;
  std::vector<std::string> able = acting();
  std::erase(able, work->author);
  if (able.empty()) return;
  Case* one = case_of(*work);
  const bool own = work->author == author;
  if (own && (!one || one->end != "accused" || one->redone)) return;
  const bool comparable = work->exact || number_of_steps() >= kStepsToCompare;
  if (!own && (!comparable || !may_dispute(author, number, one))) return;
  if (!one || !one->open) one = &open_case(number, *work);
  if (!one->reveal) one->since_ms = now_ms;
  if (own) {
    one->answers.clear();
    one->redone = true;
  } else {
    one->disputer = author;
  }
  call_everybody(*one);
  decide(*one, false);
}

void Ledger::decide(Case& one, bool late) {
  std::size_t fine = 0, withheld = 0, accusing = 0, same = 0;
  std::string forged;
  for (const Answer& answer : one.answers) {
    fine += answer.result == "exact" || answer.result == "near" ? 1 : 0;
    withheld += answer.result == "withheld" ? 1 : 0;
    if (!accuses(answer)) continue;
    ++accusing;
    std::size_t alike = 0;
    for (const Answer& other : one.answers) {
      alike += accuses(other) && other.made == answer.made ? 1 : 0;
    }
    if (alike > same) {
      same = alike;
      forged = answer.made;
    }
  }
  const std::size_t n = one.asked.size();
  const bool over = late || one.answers.size() == n;
  std::string end;
  if (one.everybody && same >= 2 && 2 * same > n) {
    end = one.exact ? "convicted" : "accused";
  } else if (one.everybody && 2 * fine > n) {
    end = "cleared";
  } else if (2 * withheld > n) {
    end = "withheld";
  } else if (over && accusing == 0) {
    end = fine > 0 ? "passed" : "lapsed";
  } else if (over) {
    end = fine == 0 ? "accused" : "undecided";
  }
  if (end.empty()) return stand_suspended(one.author);
  const std::vector<Answer> answers = one.answers;
  const std::string author = one.author, disputer = one.disputer;
  const bool exact = one.exact;
  end_case(one, end);
  if (!exact) return;  // nobody is convicted, nobody has lied
  if (end == "convicted") convict(author);
  for (const Answer& answer : answers) {
    if (end == "convicted" && answer.result != "withheld" && answer.made != forged) {
      name_liar(answer.auditor);
    }
    if (end == "cleared" && answer.result == "differs") name_liar(answer.auditor);
  }
  if (end == "cleared" && !disputer.empty()) name_liar(disputer);
}

void Ledger::end_case(Case& one, const std::string& end) {
  one.open = one.reveal = false;
  one.end = end;
  stand_suspended(one.author);
}

void Ledger::stand_suspended(const std::string& author) {
  Member& member = members[author];
  const auto suspends = [this](std::size_t position) {
    const Case& one = cases[position];
    if (one.end == "withheld" || one.end == "accused") return true;
    return one.open && std::any_of(one.answers.begin(), one.answers.end(), accuses);
  };
  const bool before = member.suspended;
  member.suspended = std::any_of(member.cases.begin(), member.cases.end(), suspends);
  if (member.suspended != before) count_waiting();
}

void Ledger::convict(const std::string& author) {
  Member& member = members[author];
  if (member.slashed) return;
  member.slashed = member.excluded = true;
  const std::size_t settled = history.size() > kUnsettled ? history.size() - kUnsettled : 0;
  for (std::size_t i = settled; i < history.size(); ++i) forfeit(history[i], author);
  count_waiting();
}

void Ledger::forfeit(Closed& closed, const std::string& author) {
  for (const Work& work : closed.works) {
    const auto earned = closed.earned.find(work.id);
    if (work.author != author || earned == closed.earned.end()) continue;
    credits[author] -= earned->second;
    forfeited += earned->second;
    closed.earned.erase(earned);
  }
}

void Ledger::name_liar(const std::string& key) {
  const std::vector<std::string> able = acting();
  if (has(able, key) && able.size() == 1) return;
  if (liars.insert(key).second) end_score_if_complete();
}

}  // namespace harambee::sim

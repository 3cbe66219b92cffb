#include "sim/ledger.h"

#include <algorithm>
#include <numeric>

#include "base/encoding.h"
#include "base/hash.h"

namespace harambee::sim {
namespace {

std::string raw(const Digest& digest) { return {digest.bytes.begin(), digest.bytes.end()}; }
std::string hash(const std::string& text) { return raw(sha256(view(text))); }
std::string hex_of(const std::string& bytes) { return hex(view(bytes)); }

const Json kNothing;

const Json& at(const Json& object, const char* key) {
  const Json* found = object.find(key);
  return found ? *found : kNothing;
}
std::string words(const Json& value) { return value.string() ? *value.string() : std::string(); }
std::int64_t number(const Json& value) { return value.integer() ? *value.integer() : -1; }

std::int64_t lower_median(std::vector<std::int64_t> values) {
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

// The text between two marks.
std::string between(std::string_view text, std::string_view from, char to) {
  const std::size_t start = text.find(from);
  if (start == text.npos) return "";
  const std::size_t end = text.find(to, start + from.size());
  if (end == text.npos) return "";
  return std::string(text.substr(start + from.size(), end - start - from.size()));
}

}  // namespace

struct Ledger::Entry {
  std::string id;  // hex
  std::string author, kind;
  std::uint64_t index = 0;
  std::int64_t round = -1;
  Json body;
  Json blobs;
};

void Ledger::leaf(View entry) {
  std::string bytes(1, '\0');
  bytes.append(entry.begin(), entry.end());
  peaks_.emplace_back(1, hash(bytes));
  while (peaks_.size() > 1 && peaks_[peaks_.size() - 2].first == peaks_.back().first) {
    const auto right = peaks_.back();
    peaks_.pop_back();
    peaks_.back() = {2 * right.first, hash('\1' + peaks_.back().second + right.second)};
  }
  std::string top = peaks_.back().second;
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) top = hash('\1' + peaks_[i].second + top);
  root = top;
}

bool Ledger::feed(View bytes) {
  const std::string_view whole = text(bytes);
  const auto payload = from_base64(between(whole, R"("payload":")", '"'));
  const auto json = payload ? parse_canonical(*payload) : Result<Json>(invalid("no payload"));
  if (!json) {
    fault = "entry " + std::to_string(size) + " cannot be read";
    return false;
  }
  Entry entry;
  const std::string type = "application/vnd.harambee.record.v1+json";
  const std::string pae = "DSSEv1 " + std::to_string(type.size()) + " " + type + " " +
                          std::to_string(payload->size()) + " " +
                          std::string(payload->begin(), payload->end());
  entry.id = hex_of(hash(pae));
  entry.author = words(at(*json, "author"));
  entry.kind = words(at(*json, "kind"));
  entry.index = size;
  entry.round = number(at(*json, "round"));
  entry.body = at(*json, "body");
  entry.blobs = at(*json, "blobs");
  Person& person = people[entry.author];
  if (number(at(*json, "seq")) != static_cast<std::int64_t>(person.records) ||
      words(at(*json, "prev")) != person.last) {
    fault = "entry " + std::to_string(size) + " is out of its author's chain";
    return false;
  }
  ++person.records;
  person.last = entry.id;
  if (!ids.emplace(entry.id, size).second) {
    fault = "entry " + std::to_string(size) + " was logged before";
    return false;
  }
  leaf(bytes);
  ++size;
  if (entry.kind == "genesis") hub_ = entry.author;
  if (entry.kind == "tick") {
    const std::int64_t ms = number(at(entry.body, "unix_ms"));
    if (entry.author != hub_ || ms <= now_ms) {
      fault = "entry " + std::to_string(entry.index) + ": time runs backwards";
      return false;
    }
    tick(ms);
    return true;
  }
  if (entry.kind == "run" && run.empty()) {
    run = entry.id;
    coordinator = words(at(entry.body, "coordinator"));
    for (const Json& key : *at(entry.body, "validators").array()) validators.push_back(words(key));
    recipe = at(entry.body, "recipe");
    if (const JsonArray* names = at(entry.body, "domains").array()) {
      for (const Json& name : *names) domains.push_back(words(name));
    }
    return true;
  }
  if (words(at(*json, "run")) != run) return true;
  if (entry.kind == "start" && phase == Phase::waiting) {
    weights = words(at(entry.body, "weights"));
    opened_ = opened_before_ = entry.index;
    open(0, entry.id);
  }
  if (entry.kind == "join") join(entry);
  if (entry.kind == "contribution") contribution(entry);
  if (entry.kind == "score") score(entry);
  if (entry.kind == "close") close(entry);
  if (entry.kind == "void") go_back(entry);
  if (entry.kind == "audit") audit(entry.author, entry.round, entry.body);
  if (entry.kind == "dispute") dispute(entry.author, entry.round, entry.body);
  if (entry.kind == "reveal") reveal(entry.author, entry.round, entry.body, entry.blobs);
  return true;
}

std::int64_t Ledger::rule(const char* name) const { return number(at(recipe, name)); }

std::int64_t Ledger::number_of_steps() const { return number(at(at(recipe, "inner"), "steps")); }

std::int64_t Ledger::judge(const char* name) const { return number(at(at(recipe, "judge"), name)); }

std::int64_t Ledger::judge_nanos(const char* name) const {  // "0.25"
  const std::string text = words(at(at(recipe, "judge"), name));
  if (text.empty()) return 0;
  const std::size_t point = std::min(text.find('.'), text.size());
  std::string part = point < text.size() ? text.substr(point + 1) : "";
  part.resize(9, '0');
  return std::stoll(text.substr(0, point)) * 1'000'000'000 + std::stoll(part);
}

bool Ledger::expected(const Member& member) const {
  return member.drawn && !member.left && !member.excluded && !member.suspended && !member.missed &&
         member.joined < opened_;
}

void Ledger::open(std::int64_t number, const std::string& opening) {
  round = number;
  phase = Phase::commit;
  opened_ms_ = now_ms;
  works.clear();
  scores.clear();
  missed_.clear();
  seed_.clear();
  draw_cohort(opening);
  for (auto* one : by_ordinal_) one->second.in_round = false;
  count_waiting();
}

void Ledger::count_waiting() {
  waiting_for_ = 0;
  for (const auto* one : by_ordinal_) {
    waiting_for_ += expected(one->second) && !one->second.in_round ? 1 : 0;
  }
}

void Ledger::tick(std::int64_t ms) {
  now_ms = ms;
  tick_audits();
  if (phase == Phase::commit) {
    if (static_cast<std::int64_t>(works.size()) < rule("min_contributions")) return;
    if (waiting_for_ > 0 && ms < opened_ms_ + rule("commit_ms")) return;
    for (auto* one : by_ordinal_) {
      auto& [key, member] = *one;
      if (!expected(member) || member.in_round) continue;
      member.missed = true;
      missed_.push_back(key);
    }
    seed_ = hex_of(hash("harambee score v1\n" + root));
    draw_committee();
    phase = Phase::score;
    phase_ms_ = ms;
  } else if (phase == Phase::score) {
    if (2 * scores.size() > awaited().size() &&
        ms >= phase_ms_ + rule("reveal_ms") + rule("score_ms")) {
      phase = Phase::closing;
    }
  }
}

void Ledger::join(const Entry& entry) {
  if (phase == Phase::finished || members.contains(entry.author)) return;
  const auto joined = members.try_emplace(entry.author).first;
  joined->second.joined = entry.index;
  joined->second.numeric_class = words(at(entry.body, "class"));
  // Who comes after a draw was not drawn.
  joined->second.drawn = cohort.empty();
  by_ordinal_.push_back(&*joined);
}

void Ledger::contribution(const Entry& entry) {
  const auto found = members.find(entry.author);
  if (found == members.end() || phase != Phase::commit || entry.round != round) return;
  Member& member = found->second;
  const std::string domain = words(at(entry.body, "domain"));
  const std::size_t said = entry.body.find("domain") == nullptr ? 7 : 8;
  if (entry.body.object()->size() != said || entry.blobs.array()->size() != 1) return;
  if (said == 8 && !std::count(domains.begin(), domains.end(), domain)) return;
  const Json& blob = (*entry.blobs.array())[0];
  const std::string delta = words(at(blob, "digest"));
  const auto follows = [&entry](const char* chain, const std::string& last) {
    const Json& before = (*at(entry.body, chain).array())[0];
    return before.is_null() || words(before) == last;
  };
  // Until the deadline, places are kept for those that the round waits for, and only the drawn have
  // any.
  const bool awaited = expected(member);
  const bool early = now_ms < opened_ms_ + rule("commit_ms");
  const bool mine = awaited || (!cohort.empty() && member.drawn);
  const std::size_t kept = early && !mine ? waiting_for_ : 0;
  const auto limit = judge("cohort");
  if (member.excluded || member.suspended || member.left || member.in_round ||
      (early && !member.drawn) ||
      works.size() + kept >= static_cast<std::size_t>(limit == 0 ? 128 : limit) ||
      words(at(entry.body, "class")) != member.numeric_class ||
      words(at(entry.body, "base")) != weights || !follows("ef", member.ef) ||
      !follows("opt", member.opt)) {
    return;
  }
  if (awaited) --waiting_for_;
  member.in_round = true;
  member.missed = false;
  member.ef = words((*at(entry.body, "ef").array())[1]);
  member.opt = words((*at(entry.body, "opt").array())[1]);
  const auto before = [&entry](const char* chain) {
    return words((*at(entry.body, chain).array())[0]);
  };
  const bool fresh = before("ef").empty() && before("opt").empty();
  member.links = fresh ? 1 : member.links + 1;
  works.push_back({entry.id, entry.author, delta, weights, domain, entry.index, before("ef"),
                   member.ef, before("opt"), member.opt, member.links,
                   member.numeric_class == "exact-1"});
}

void Ledger::score(const Entry& entry) {
  if (phase != Phase::score || entry.round != round) return;
  const std::vector<std::string> able = acting(), drawn = awaited();
  if (std::find(able.begin(), able.end(), entry.author) == able.end()) return;
  for (const Score& other : scores) {
    if (other.author == entry.author) return;
  }
  const bool past = now_ms >= phase_ms_ + rule("reveal_ms") + rule("score_ms");
  if (std::find(drawn.begin(), drawn.end(), entry.author) == drawn.end() && !past) return;
  if (words(at(entry.body, "base")) != weights || words(at(entry.body, "seed")) != seed_) return;
  const JsonArray& entries = *at(entry.body, "entries").array();
  if (entries.size() != works.size()) return;
  const bool reported = entry.body.find("loss") != nullptr;
  if (reported != (number(at(at(recipe, "gate"), "report")) > 0)) return;
  Score one{entry.author, {}, {}};
  if (reported) one.loss = number(at(entry.body, "loss"));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    one.votes.push_back({number(at(entries[i], "gain")), words(at(entries[i], "v")),
                         number(at(entries[i], "group"))});
    Vote& vote = one.votes.back();
    if (const Json* gain = entries[i].find("gain")) vote.gain = *gain->integer();
    if (const Json* own = entries[i].find("own")) vote.own = *own->integer();
    if (const Json* gains = entries[i].find("domains")) {
      for (const Json& gain : *gains->array()) vote.domains.push_back(*gain.integer());
    }
  }
  scores.push_back(std::move(one));
  end_score_if_complete();
}

std::vector<std::string> Ledger::accepted_set() const {
  std::vector<std::string> set;
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (judged(i).accepted) set.push_back(works[i].id);
  }
  return set;
}

void Ledger::close(const Entry& entry) {
  if (phase != Phase::closing || entry.round != round || entry.author != coordinator) return;
  if (must_go_back()) return;
  std::vector<std::string> claimed;
  for (const Json& id : *at(entry.body, "accepted").array()) claimed.push_back(words(id));
  if (claimed != accepted_set()) return;
  const std::string new_weights = words(at(entry.body, "weights"));
  const std::string new_residual = words(at(entry.body, "residual"));
  if (claimed.empty() &&
      (new_weights != weights || (!residual.empty() && new_residual != residual)))
    return;
  std::string update;
  std::size_t checkpoints = 0;
  for (const Json& blob : *entry.blobs.array()) {
    if (words(at(blob, "type")).find("update") != std::string::npos) {
      update = words(at(blob, "digest"));
    } else {
      ++checkpoints;
    }
  }
  if (update.empty() != claimed.empty() || !checkpoint_fits(checkpoints)) return;
  Closed closed = ended();
  closed.accepted = claimed;
  closed.weights = new_weights;
  closed.residual = new_residual;
  closed.update = update;
  weigh(closed);
  pay(closed);
  for (const Work& work : closed.works) {
    if (members[work.author].slashed) forfeit(closed, work.author);
  }
  stand(closed);
  go_on(std::move(closed), entry);
}

// Not before the newest round's base has been reported on, nor twice in a row.
bool Ledger::must_go_back() const {
  const std::int64_t rise = judge_nanos("void_rise");
  if (rise == 0 || history.empty() || history.back().voided || history.back().update.empty()) {
    return false;
  }
  std::int64_t best = *history.back().loss;
  for (std::size_t i = 0; i + 1 < history.size(); ++i) {
    if (!history[i].update.empty() && !history[i + 1].voided) {
      best = std::min(best, *history[i].loss);
    }
  }
  return *ended().loss > best + rise;
}

void Ledger::go_back(const Entry& entry) {
  if (phase != Phase::closing || entry.round != round || entry.author != coordinator) return;
  if (!must_go_back()) return;
  const std::string to = words(at(entry.body, "weights"));
  const std::string kept = words(at(entry.body, "residual"));
  const std::size_t rounds = history.size();
  if (to != history.back().base) return;
  if (rounds >= 2 && kept != history[rounds - 2].residual) return;
  if (!checkpoint_fits(entry.blobs.array()->size())) return;
  Closed closed = ended();
  closed.voided = true;
  closed.weights = to;
  closed.residual = kept;
  weigh(closed);
  go_on(std::move(closed), entry);
}

bool Ledger::checkpoint_fits(std::size_t checkpoints) const {
  const std::int64_t next = round + 1;
  const bool due = next % rule("checkpoint_every") == 0 || next == rule("rounds");
  return (checkpoints == 1) == due;
}

// What a close and a void keep of the open round.
Ledger::Closed Ledger::ended() const {
  Closed closed;
  closed.works = works;
  closed.missed = missed_;
  closed.base = weights;
  closed.seed = seed_;
  closed.drawn = cohort.size();
  closed.judges = awaited().size();
  std::vector<std::int64_t> losses;
  for (const Score& one : scores) {
    closed.scorers.push_back(one.author);
    if (one.loss) losses.push_back(*one.loss);
  }
  if (!losses.empty()) closed.loss = lower_median(std::move(losses));
  std::size_t rejected = 0;
  for (std::size_t i = 0; i < works.size(); ++i) {
    closed.judged.push_back(judged(i));
    rejected += closed.judged[i].accepted || closed.judged[i].idle ? 0 : 1;
  }
  closed.mostly_rejected = 2 * rejected > works.size();
  return closed;
}

void Ledger::go_on(Closed closed, const Entry& entry) {
  weights = closed.weights;
  residual = closed.residual;
  history.push_back(std::move(closed));
  opened_before_ = opened_;
  opened_ = entry.index;
  const std::int64_t next = round + 1;
  if (next < rule("rounds")) {
    open(next, entry.id);
  } else {
    phase = Phase::finished;
  }
}

void Ledger::pay(Closed& closed) {
  if (closed.accepted.empty()) return;
  const Json& rules = at(recipe, "credit");
  const std::int64_t total = number(at(rules, "round"));
  const std::int64_t judges = total * number(at(rules, "validator")) / 100;
  const std::int64_t chair = total * number(at(rules, "coordinator")) / 100;
  const auto share = [this](const std::vector<std::string>& who, std::int64_t pool) {
    const auto count = static_cast<std::int64_t>(who.size());
    for (std::int64_t i = 0; i < count; ++i) {
      credits[who[static_cast<std::size_t>(i)]] += pool / count + (i < pool % count ? 1 : 0);
    }
  };
  // A group has one share, its members split it.
  std::vector<std::string> workers;
  for (const Work& work : closed.works) {
    if (std::count(closed.accepted.begin(), closed.accepted.end(), work.id)) {
      workers.push_back(work.author);
    }
  }
  std::map<std::size_t, std::vector<std::string>> groups;
  for (std::size_t i = 0; i < workers.size(); ++i) groups[closed.group[i]].push_back(workers[i]);
  const std::map<std::string, std::int64_t> before = credits;
  const std::int64_t pool = total - judges - chair;
  const auto count = static_cast<std::int64_t>(groups.size());
  std::int64_t nth = 0;
  for (const auto& [first, sharing] : groups) {
    share(sharing, pool / count + (nth++ < pool % count ? 1 : 0));
  }
  std::size_t next = 0;
  for (const Work& work : closed.works) {
    if (next >= closed.accepted.size() || work.id != closed.accepted[next]) continue;
    const auto had = before.find(work.author);
    closed.earned[work.id] = credits[work.author] - (had == before.end() ? 0 : had->second);
    ++next;
  }
  share(closed.scorers, judges);
  share({coordinator}, chair);
}

void Ledger::stand(Closed& closed) {
  for (std::size_t i = 0; i < closed.works.size(); ++i) {
    Member& member = members[closed.works[i].author];
    if (closed.judged[i].own) remember_own(member, *closed.judged[i].own);
    member.gains.push_back(closed.judged[i].counted);
    if (member.gains.size() > 16) member.gains.erase(member.gains.begin());
    if (std::count(closed.accepted.begin(), closed.accepted.end(), closed.works[i].id)) {
      ++member.accepted;
      member.streak = 0;
      continue;
    }
    ++member.rejected;
    if (closed.mostly_rejected || closed.judged[i].idle || closed.judged[i].harms_alone) continue;
    ++member.streak;
    const std::int64_t sum =
        std::accumulate(member.gains.begin(), member.gains.end(), std::int64_t{0});
    if (member.streak >= 6 && sum < 0) member.excluded = true;
  }
}

}  // namespace harambee::sim
